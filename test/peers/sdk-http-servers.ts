import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type ServerKind = 'v1-stateful' | 'v1-stateless' | 'v1-sse' | 'v2-modern' | 'v2-dual'

export interface HttpServerProcess {
  readonly url: string
  readonly process: ChildProcess
  /** The tools that ran, in order. */
  readonly ran: readonly string[]
  /** Ends it without a word. */
  kill(): Promise<void>
}

export interface StartServerOptions {
  readonly port?: number
  readonly environment?: Readonly<Record<string, string>>
}

const PROGRAM = fileURLToPath(new URL('../fixtures/sdk-http-servers.mjs', import.meta.url))

/** Starts a server of an official SDK on HTTP. */
export function startSdkServer(
  kind: ServerKind,
  { port = 0, environment = {} }: StartServerOptions = {},
): Promise<HttpServerProcess> {
  return startHttpServer(
    [PROGRAM, kind, String(port)],
    line => /^listening (\S+)/.exec(line)?.[1],
    environment,
  )
}

/** Starts a Node program and waits for the line on its stdout or stderr that tells its address. */
export function startHttpServer(
  argv: readonly string[],
  addressIn: (line: string) => string | undefined,
  environment: Readonly<Record<string, string>> = {},
): Promise<HttpServerProcess> {
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  const ran: string[] = []
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  return new Promise((resolve, reject) => {
    const said: string[] = []
    const timer = setTimeout(() => reject(new Error(`No address within 20 s: ${said.join(' | ')}`)), 20_000)
    child.once('exit', code => reject(new Error(`Ended with ${code}: ${said.join(' | ')}`)))
    const onLine = (line: string) => {
      if (said.length < 50) said.push(line)
      if (line.startsWith('ran ')) ran.push(line.slice(4))
      const url = addressIn(line)
      if (url === undefined) return
      clearTimeout(timer)
      resolve({
        url,
        process: child,
        ran,
        async kill() {
          child.kill('SIGKILL')
          await gone
        },
      })
    }
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine)
  })
}

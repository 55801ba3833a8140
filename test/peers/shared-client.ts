/** Clients of `anyport serve --stdio --shared`, each a process of its own, on a folder of their own. */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ANYPORT, processesMarked } from './start-anyport.js'

// biome-ignore lint/suspicious/noExplicitAny: messages as they are on the wire
type Json = any

export const SHARING_SERVER = fileURLToPath(
  new URL('../fixtures/processes/sharing-server.mjs', import.meta.url),
)

const WAIT = 30_000

export interface ClientOptions {
  /** Options of `serve`, after `--stdio --shared`. */
  readonly options?: readonly string[]
  readonly era?: 'legacy' | 'modern'
  readonly serverEra?: 'legacy' | 'modern'
  /** The client is `connect --shared` to this address, with these options. */
  readonly url?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What runs the command; another one for another version. */
  readonly anyport?: string
  /** Answers what the client is asked for; whoever cannot is asked nothing. */
  readonly elicit?: (message: string) => string
}

export interface SharedClient {
  readonly process: ChildProcess
  readonly exited: Promise<number | null>
  stderr(): string
  /** The questions that came, in order. */
  readonly questions: string[]
  /** Resolves with the response. Ids are the client's business: all clients count from 1. */
  call(name: string, parameters: Json): Promise<Json>
  leave(): Promise<number | null>
}

export interface Sharing {
  readonly folder: string
  /** Servers carry it in their environment. */
  readonly mark: string
  /** Starts a client and shakes hands. */
  client(options?: ClientOptions): Promise<SharedClient>
  /** Starts one and does not wait. */
  start(options?: ClientOptions): SharedClient & { readonly ready: Promise<void> }
  /** The servers that live. */
  servers(): number[]
  ps(): Promise<Json[]>
  run(
    ...argv: string[]
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  log(): string
  /** Ends everything, and throws where something is left. */
  end(): Promise<void>
}

export function sharing(): Sharing {
  const runtime = mkdtempSync(join(tmpdir(), 'anyport-shared-'))
  chmodSync(runtime, 0o700)
  const folder = join(runtime, 'anyport')
  const mark = randomUUID()
  const environment = { ...process.env, XDG_RUNTIME_DIR: runtime }
  const clients = new Set<SharedClient>()

  const run: Sharing['run'] = async (...argv) => {
    const child = spawn(process.execPath, [ANYPORT, ...argv], { env: environment })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', text => {
      output.stdout += text
    })
    child.stderr.on('data', text => {
      output.stderr += text
    })
    const [code] = await once(child, 'close')
    return { code, ...output }
  }

  const start = (options: ClientOptions = {}) => {
    const client = startClient(options, environment, mark)
    clients.add(client)
    void client.exited.then(() => clients.delete(client))
    return client
  }

  return {
    folder,
    mark,
    start,
    async client(options) {
      const client = start(options)
      await client.ready
      return client
    },
    servers: () => processesMarked(mark),
    async ps() {
      return JSON.parse((await run('ps', '--json')).stdout)
    },
    run,
    log: () => {
      const file = join(folder, 'background.log')
      return existsSync(file) ? readFileSync(file, 'utf8') : ''
    },
    async end() {
      for (const client of clients) client.process.kill('SIGKILL')
      if (existsSync(folder)) await run('stop', '--all', '--drain-timeout', '0s')
      rmSync(runtime, { recursive: true, force: true })
      const end = Date.now() + 5_000
      while (processesMarked(mark).length > 0) {
        if (Date.now() > end) throw new Error(`servers are left: ${processesMarked(mark)}`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    },
  }
}

function startClient(
  { options = [], era = 'legacy', serverEra = 'legacy', ...more }: ClientOptions,
  environment: NodeJS.ProcessEnv,
  mark: string,
) {
  const { anyport = ANYPORT, cwd, elicit, url } = more
  const serving = [
    ...['serve', '--stdio', '--shared', '--env', `MCP_TEST_MARK=${mark}`, ...options],
    ...['--', process.execPath, SHARING_SERVER, '--era', serverEra],
  ]
  const child = spawn(
    process.execPath,
    [anyport, ...(url === undefined ? serving : ['connect', '--shared', ...options, url])],
    { env: { ...environment, ...more.environment }, stdio: 'pipe', ...(cwd === undefined ? {} : { cwd }) },
  )
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const waiting = new Map<number, (response: Json) => void>()
  const questions: string[] = []
  const capabilities = elicit === undefined ? {} : { elicitation: {} }
  let stderr = ''
  let id = 0
  child.stdin.on('error', () => {})
  child.stderr.on('data', text => {
    stderr += text
  })
  const send = (message: Json) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const meta = {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    },
  }
  const request = (method: string, params: Json): Promise<Json> =>
    new Promise((resolve, reject) => {
      const own = ++id
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}; stderr: ${stderr}`)), WAIT)
      waiting.set(own, response => {
        clearTimeout(timer)
        resolve(response)
      })
      send({ id: own, method, params: era === 'modern' ? { ...params, ...meta } : params })
    })
  const answer = (message: string) => {
    questions.push(message)
    return { action: 'accept', content: { word: elicit?.(message) } }
  }
  createInterface({ input: child.stdout }).on('line', line => {
    const message = JSON.parse(line)
    if (message.method === 'elicitation/create')
      send({ id: message.id, result: answer(message.params.message) })
    if (message.method !== undefined) return
    const settle = waiting.get(message.id)
    if (settle === undefined) throw new Error(`an answer that nobody waits for: ${line}`)
    waiting.delete(message.id)
    settle(message)
  })
  void exited.then(code => {
    for (const settle of waiting.values()) settle({ ended: code, stderr })
  })

  const call = async (name: string, parameters: Json): Promise<Json> => {
    const params = { name, arguments: parameters }
    const response = await request('tools/call', params)
    const { inputRequests, requestState } = response.result ?? {}
    if (inputRequests === undefined) return response
    const [[key, { params: asked }]] = Object.entries<Json>(inputRequests) as [[string, Json]]
    const inputResponses = { [key]: answer(asked.message) }
    return request('tools/call', { ...params, inputResponses, requestState })
  }
  const ready = async () => {
    if (era === 'modern') return
    const opened = await request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities,
      clientInfo: { name: 'client', version: '1' },
    })
    if (opened.result === undefined) throw new Error(`no handshake: ${JSON.stringify(opened)} ${stderr}`)
    send({ method: 'notifications/initialized' })
  }
  return {
    process: child,
    exited,
    stderr: () => stderr,
    questions,
    call,
    ready: ready(),
    leave: () => {
      child.stdin.end()
      return exited
    },
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { until } from '../fixtures/until.js'

export const ANYPORT = fileURLToPath(new URL('../../dist/bin/anyport.js', import.meta.url))

const START_LIMIT = 20_000
const STOP_LIMIT = 15_000

/** What runs: a test that fails does not come to its `stop`. */
const running = new Set<Anyport>()
afterAll(() => Promise.allSettled([...running].map(anyport => anyport.stop())))

export interface StartOptions {
  /** Options of `serve`, after `--port 0 --log-format json`. */
  readonly options?: readonly string[]
  /** Answers clients that come before the server is up. Default false: what a test sees is the server's own. */
  readonly early?: boolean
  /** A target in place of a command, such as `socket:PATH`. */
  readonly target?: string
  /** A configuration file in place of a command; its servers are marked where they take MCP_TEST_MARK from the environment. */
  readonly config?: string
  readonly environment?: Readonly<Record<string, string>>
}

export type LogLine = Readonly<Record<string, unknown>>

export interface Anyport {
  /** Where Streamable HTTP is served; ends in `/mcp`. */
  readonly url: string
  /** Where HTTP+SSE is served. */
  readonly sseUrl: string
  readonly process: ChildProcess
  /** Its children carry this in their environment, and nothing else does. */
  readonly mark: string
  /** What it logged so far, line by line. */
  readonly log: readonly LogLine[]
  /** Resolves to the first line of the log, old or new, that `test` accepts. */
  line(test: (line: LogLine) => boolean, limit?: number): Promise<LogLine>
  /** Sends SIGTERM, waits for the end, and throws if any process of its own is left. */
  stop(): Promise<void>
}

/** Starts `anyport serve` in front of a command (or of a target) and waits until it listens. */
export async function startAnyport(command: readonly string[], options: StartOptions = {}): Promise<Anyport> {
  const mark = randomUUID()
  const marking = ['--env', `MCP_TEST_MARK=${mark}`]
  const rest = restOf()
  function restOf() {
    if (options.config !== undefined) return ['--config', options.config]
    return options.target === undefined ? [...marking, '--', ...command] : [options.target]
  }
  // A configuration says itself what its servers take from our environment.
  const marked = options.config === undefined ? {} : { MCP_TEST_MARK: mark }
  const strict = options.early ? [] : ['--strict-start']
  const child = spawn(
    process.execPath,
    [ANYPORT, 'serve', '--port', '0', '--log-format', 'json', ...strict, ...(options.options ?? []), ...rest],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...marked, ...options.environment } },
  )
  const { log, line } = readLog(child)
  try {
    const listening = await line(
      entry => entry.event === 'listening' && typeof entry.url === 'string',
      START_LIMIT,
    )
    const url = listening.url as string
    const anyport: Anyport = {
      url,
      sseUrl: new URL('/sse', url).href,
      process: child,
      mark,
      log,
      line,
      stop() {
        running.delete(anyport)
        return stop(child, mark, log)
      },
    }
    running.add(anyport)
    return anyport
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** The living processes whose environment carries the mark. A zombie has none left, so it counts as dead. */
export function processesMarked(mark: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(name => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'latin1').includes(`MCP_TEST_MARK=${mark}`)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Collects the lines of a child's stderr; those which are not JSON become `{ text }`. */
function readLog(child: ChildProcess): Pick<Anyport, 'log' | 'line'> {
  const log: LogLine[] = []
  createInterface({ input: child.stderr! }).on('line', text => {
    try {
      log.push(JSON.parse(text))
    } catch {
      log.push({ text })
    }
  })
  return {
    log,
    async line(test, limit = 10_000) {
      let found: LogLine | undefined
      await until(
        () => {
          found = log.find(test)
          if (found === undefined && child.exitCode !== null) throw new Error(`ended early:\n${text(log)}`)
          return found !== undefined
        },
        `the expected line of the log, which was:\n${text(log)}`,
        limit,
      )
      return found!
    },
  }
}

async function stop(child: ChildProcess, mark: string, log: readonly LogLine[]): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
    await ended
    clearTimeout(limit)
    if (child.signalCode === 'SIGKILL') throw new Error(`did not end after SIGTERM:\n${text(log)}`)
  }
  await until(() => processesMarked(mark).length === 0, 'the end of all child processes', 3_000)
}

function text(log: readonly LogLine[]): string {
  return log.map(entry => JSON.stringify(entry)).join('\n')
}

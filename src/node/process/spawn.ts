/** A child process as a stream of bytes: its stdin and stdout. */

import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { TransportError } from '../../exchange/errors.js'
import type { ByteStream, Program } from '../../transport/channel/channel.js'
import { whenDrained, writeChunks } from '../byte-stream.js'
import { childEnvironment } from './environment.js'
import { realFiles } from './file-view.js'
import { type LaunchPlan, planLaunch } from './launch-plan.js'
import { addGroup, removeGroup, signalGroup, whenGroupGone } from './process-groups.js'
import { nameOfCommand, spawnError } from './spawn-error.js'
import { type StderrTail, stderrTail } from './stderr-tail.js'

export interface SpawnOptions {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  /** The child's whole environment; what `childEnvironment()` returns by default. */
  readonly env?: Readonly<Record<string, string>>
  /** A person's name for it; the command line with what looks secret masked by default. */
  readonly name?: string
  /** Receives each line of the child's stderr, without its line feed. */
  readonly onStderr?: (line: string) => void
  /** Receives what is about to be started, and why, where that is not the command as given. */
  readonly onLaunch?: (launch: LaunchPlan) => void
  /** How long a child may take to end by itself once its stdin has ended, in milliseconds; 500 by default. */
  readonly closeGrace?: number
  /** How long it may take after SIGTERM before it is killed, in milliseconds; 2 seconds by default. */
  readonly killGrace?: number
  /**
   * Ends it and its group even where our own process is killed: by a small shell that runs beside us, one for all children.
   * Default true. Without effect on Windows, where the system ends children (not theirs) with us.
   */
  readonly supervise?: boolean
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildStream extends ByteStream, Program {
  /** Resolves when the child itself has ended; its descendants may live on until `close` is done. */
  readonly exited: Promise<Exit>
}

/** How long a child may live on after it closed its stdout, in milliseconds. */
const EXIT_LIMIT = 500
/** After the child's end, descendants may hold its pipes: these count as finished after this silence. */
const PIPE_SILENCE = 100
/** And at the latest then, however much still comes. */
const PIPE_LIMIT = 2_000
/** How long to wait for the system to end what it was told to kill. */
const KILL_LIMIT = 2_000

/** Resolves once the program runs. Rejects with `TransportError` ERR_SPAWN, which says why and what to do. */
export async function spawnStream(options: SpawnOptions): Promise<ChildStream> {
  const { command, args = [], cwd, env = childEnvironment() } = options
  const name = options.name ?? nameOfCommand(command, args)
  let child: ChildProcess
  let file = command
  try {
    const plan = planLaunch({
      platform: process.platform,
      command,
      args,
      env,
      cwd: resolve(cwd ?? '.'),
      files: realFiles,
      ownNode: { executable: process.execPath, version: process.version },
    })
    file = plan.file
    options.onLaunch?.(plan)
    child = spawn(plan.file, plan.args, {
      env,
      ...plan.options,
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group (and session) of its own: all of it can be ended at once, and a terminal's ^C is left to us.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    await started(child)
  } catch (error) {
    throw spawnError({ name, command: file, env, ...(cwd === undefined ? {} : { cwd }), cause: error })
  }
  return new Child(child, name, options)
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

class Child implements ChildStream {
  readonly pid: number
  readonly program = this
  readonly exited: Promise<Exit>
  readonly #input: Writable
  readonly #output: Readable
  readonly #errors: Readable
  readonly #tail: StderrTail
  #listener: Parameters<ByteStream['listen']>[0] | undefined
  #exit: Exit | undefined
  /** Set once somebody asked for the end. */
  #asked = false
  #stopping: Promise<void> | undefined
  #ended = false
  #lastData = 0

  constructor(
    private readonly child: ChildProcess,
    readonly name: string,
    private readonly options: SpawnOptions,
  ) {
    this.pid = child.pid as number
    this.#input = child.stdin as Writable
    this.#output = child.stdout as Readable
    this.#errors = child.stderr as Readable
    this.#tail = stderrTail(options.onStderr)
    addGroup(this.pid, { supervise: options.supervise ?? true })

    // A write to a child that is gone is told by its exit, not by an error of the pipe.
    for (const stream of [this.#input, this.#output, this.#errors, child]) stream.on('error', () => {})
    this.#errors.setEncoding('utf8')
    this.#errors.on('data', (text: string) => {
      this.#lastData = performance.now()
      this.#tail.push(text)
    })
    this.exited = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
        if (!this.#asked) {
          // Even where a descendant still reads: it is about to be ended, and must not begin what it cannot finish.
          this.#listener?.ending?.()
          this.#endAfterPipes()
        }
        // Whatever it started does not stay behind.
        this.#stopping ??= this.#stop(0)
      })
    })
  }

  stderr(): readonly string[] {
    return this.#tail.lines()
  }

  listen(listener: Parameters<ByteStream['listen']>[0]): void {
    if (this.#ended) {
      listener.closed(this.#whyEnded())
      return
    }
    this.#listener = listener
    this.#output.on('data', (chunk: Uint8Array) => {
      this.#lastData = performance.now()
      listener.data(chunk)
    })
    // A server without stdout is no server, even if it runs on.
    this.#output.once('end', () => {
      if (this.#exit !== undefined || this.#asked) return
      const timer = setTimeout(() => {
        this.#end()
        this.#stopping ??= this.#stop(0)
      }, EXIT_LIMIT)
      void this.exited.then(() => clearTimeout(timer))
    })
  }

  write(chunks: readonly (string | Uint8Array)[]): boolean {
    return writeChunks(this.#input, chunks)
  }

  drained(): Promise<void> {
    return whenDrained(this.#input)
  }

  pause(): void {
    this.#output.pause()
  }

  resume(): void {
    this.#output.resume()
  }

  /** Ends the child and all of its group: stdin ends, then SIGTERM, then SIGKILL. */
  async close(): Promise<void> {
    if (this.#exit === undefined) this.#asked = true
    this.#stopping ??= this.#stop(this.options.closeGrace ?? 500)
    await this.#stopping
    this.#end()
  }

  async #stop(closeGrace: number): Promise<void> {
    if (this.#exit === undefined) {
      this.#input.end()
      await this.#exitWithin(closeGrace)
    }
    if (!(await whenGroupGone(this.pid, 0))) {
      signalGroup(this.pid, 'SIGTERM')
      if (!(await whenGroupGone(this.pid, this.options.killGrace ?? 2_000))) {
        signalGroup(this.pid, 'SIGKILL')
        await whenGroupGone(this.pid, KILL_LIMIT)
      }
    }
    await this.#exitWithin(KILL_LIMIT)
    removeGroup(this.pid)
  }

  #exitWithin(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds)
      void this.exited.then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** What it wrote last is still delivered; a descendant that holds the pipes does not keep them open. */
  #endAfterPipes(): void {
    this.#lastData = performance.now()
    let left = PIPE_LIMIT
    const check = () => {
      if (this.#ended) return
      // While the reader holds it back, silence says nothing.
      if (this.#listener === undefined || !this.#output.isPaused()) {
        if (performance.now() - this.#lastData >= PIPE_SILENCE || left <= 0) return this.#end()
        left -= 20
      }
      setTimeout(check, 20)
    }
    setTimeout(check, PIPE_SILENCE)
    // Emitted once all pipes have ended.
    this.child.once('close', () => this.#end())
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#tail.end()
    this.#input.destroy()
    this.#output.destroy()
    this.#errors.destroy()
    this.#listener?.closed(this.#whyEnded())
  }

  #whyEnded(): TransportError | undefined {
    if (this.#asked) return undefined
    const stderr = [...this.#tail.lines()]
    if (this.#exit === undefined) {
      return new TransportError('ERR_CLOSED', `${this.name} closed its stdout`, { hop: this.name, stderr })
    }
    const { code, signal } = this.#exit
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    const last = stderr.findLast(line => line.trim() !== '')
    return new TransportError(
      'ERR_EXITED',
      `${this.name} ${how}${last === undefined ? '' : `: ${last.slice(0, 300)}`}`,
      {
        hop: this.name,
        ...(code === null ? {} : { exitCode: code }),
        ...(signal === null ? {} : { signal }),
        stderr,
      },
    )
  }
}

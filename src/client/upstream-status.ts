/** How one server does, for people and for metrics. */

import { TransportError } from '../exchange/errors.js'
import { masked } from '../exchange/masked.js'
import { printable } from '../exchange/printable.js'
import type { Era } from '../protocol/versions.js'
import type { UpstreamEvent } from './events.js'
import type { Dialect } from './opened.js'

/**
 * `resting`: it starts when somebody needs it. `failed`: it ended, or could not be started, and is tried again for the next caller.
 * `given-up`: the same too often in a row, so that callers are told at once.
 */
export type UpstreamState = 'resting' | 'starting' | 'running' | 'failed' | 'given-up'

/** JSON as it is. What the server says of itself is without control characters, and without the secrets that it was given. */
export interface UpstreamStatus {
  readonly state: UpstreamState
  /** Once it is known. */
  readonly era?: Era | undefined
  /** That a legacy one shook hands in last. */
  readonly revision?: string | undefined
  /** How we reach it, once that is known. */
  readonly transport?: 'stdio' | 'socket' | 'streamable-http' | 'sse' | undefined
  /** Of its processes, where we have started them. */
  readonly pids: readonly number[]
  readonly connections: number
  /** Calls that it has not answered yet, subscriptions included. */
  readonly calls: number
  /** Calls that wait for the answers to their questions. */
  readonly parked: number
  /** How often it was started or dialled. */
  readonly starts: number
  /** How often of these because it had ended, or not begun, although nobody wanted that. */
  readonly restarts: number
  /** When it was last found to answer (ISO 8601), and how many milliseconds that took. */
  readonly readyAt?: string | undefined
  readonly readyAfter?: number | undefined
  readonly lastError?: UpstreamFailure | undefined
  /** The last lines that it wrote to stderr. */
  readonly stderr: readonly string[]
}

/** Why it could not be started, or ended. */
export interface UpstreamFailure {
  /** ISO 8601. */
  readonly time: string
  readonly code?: string | undefined
  readonly message: string
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
}

const MAX_LINES = 40
const MAX_LINE = 500
/** What is looked at; much more than is shown, so that no secret is cut before it is seen. */
const MAX_TEXT = 16_384

/** What has happened to a server so far, made of its events. */
export class ServerHistory {
  /** How it was last found to speak, and in which revision of the legacy era. */
  dialect: Dialect | undefined
  revision: string | undefined
  #starts = 0
  #restarts = 0
  /** Ends that nobody wanted, after which it was not started yet. */
  #due = 0
  #starting = 0
  #outcome: 'ready' | 'failed' | 'given-up' | undefined
  #ready: { readonly at: number; readonly after: number } | undefined
  #failure: { readonly at: number; readonly error: Error } | undefined

  hear(event: UpstreamEvent): void {
    if ('spare' in event && event.spare) return
    switch (event.type) {
      case 'starting':
      case 'taken':
        this.#starts++
        this.#starting++
        if (this.#due === 0) break
        this.#due--
        this.#restarts++
        break
      case 'ready':
        this.#starting--
        this.#outcome = 'ready'
        this.#ready = { at: Date.now(), after: event.milliseconds }
        this.dialect = event.dialect
        this.revision = event.revision
        break
      case 'failed':
        this.#starting--
        this.#fell(event.error)
        this.#due++
        break
      case 'exited':
        this.#fell(event.error)
        this.#due++
        break
      case 'given-up':
        this.#outcome = 'given-up'
    }
  }

  /** `secrets` are replaced in what the server says; `programs` run now. */
  report(
    connections: number,
    secrets: readonly string[],
    programs: readonly { readonly pid: number; stderr(): readonly string[] }[],
  ): Pick<
    UpstreamStatus,
    'state' | 'starts' | 'restarts' | 'readyAt' | 'readyAfter' | 'lastError' | 'stderr' | 'pids'
  > {
    const shown = (text: string) => clean(text, secrets)
    const ready = this.#ready
    const failure = this.#failure
    const last = programs.at(-1)
    return {
      state: this.#state(connections),
      pids: programs.map(({ pid }) => pid),
      starts: this.#starts,
      restarts: this.#restarts,
      ...(ready === undefined
        ? {}
        : { readyAt: new Date(ready.at).toISOString(), readyAfter: Math.round(ready.after) }),
      ...(failure === undefined ? {} : { lastError: failureOf(failure.at, failure.error, shown) }),
      stderr: (last?.stderr() ?? factsOf(failure?.error)?.stderr ?? []).slice(-MAX_LINES).map(shown),
    }
  }

  #state(connections: number): UpstreamState {
    if (connections > 0 && this.#outcome === 'ready') return 'running'
    if (this.#starting > 0) return 'starting'
    if (this.#outcome === 'failed' || this.#outcome === 'given-up') return this.#outcome
    return connections > 0 ? 'running' : 'resting'
  }

  #fell(error: Error): void {
    // That it was given up is told once, and holds until it starts.
    if (this.#outcome !== 'given-up') this.#outcome = 'failed'
    this.#failure = { at: Date.now(), error }
  }
}

function failureOf(at: number, error: Error, shown: (text: string) => string): UpstreamFailure {
  const facts = factsOf(error)
  return {
    time: new Date(at).toISOString(),
    code: error instanceof TransportError ? error.code : undefined,
    message: shown(error.message),
    exitCode: facts?.exitCode,
    signal: facts?.signal,
  }
}

function factsOf(error: Error | undefined) {
  return error instanceof TransportError ? error.facts : undefined
}

function clean(text: string, secrets: readonly string[]): string {
  const plain = masked(text.slice(0, MAX_TEXT), secrets).replace(COLORS, '')
  return printable(plain.length > MAX_LINE ? `${plain.slice(0, MAX_LINE)}…` : plain)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are told colours so
const COLORS = /\u001b\[[0-9;]*m/g

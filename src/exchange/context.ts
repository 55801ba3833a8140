import type { JSONObject } from '../protocol/message.js'

/** Who is asking. Set by the edge, never from fields that the client controls. */
export interface Caller {
  /** How the caller reached us. */
  readonly binding: 'stdio' | 'socket' | 'sse' | 'streamable-http' | 'fetch' | 'internal'
  /** The authenticated principal; undefined where nobody authenticates (the local user). */
  readonly principal?: string
  /** The conversation, where the binding has one (a legacy session, a pipe). Isolation `session` keys on it. */
  readonly session?: string
  /** The peer's network address. */
  readonly address?: string
  /** A request header by its lower-case name. */
  readonly header?: (name: string) => string | undefined
  /** Claims that an authentication guard established. */
  readonly claims?: JSONObject
}

/** A typed name for a value that one guard sets and another reads. */
export interface ContextKey<T> {
  readonly description: string
  /** Phantom: carries the type. */
  readonly type?: T
}

export function contextKey<T>(description: string): ContextKey<T> {
  return { description }
}

/** Why a call ends early. */
export type CancelReason = 'cancelled' | 'hangup' | 'timeout' | 'shutdown' | 'abandoned'

type CancelListener = (reason: CancelReason) => void

/**
 * What surrounds one call. Cancellation is a flag and a few listeners; the `AbortSignal` that libraries
 * expect is made only when somebody reads it, because making one per call costs more than a small call does.
 * The signal cancels; `generator.return()` only releases.
 */
export class Context {
  #reason: CancelReason | undefined
  #listeners: CancelListener | Set<CancelListener> | undefined
  #controller: AbortController | undefined
  /** The first value that is set, since most calls have one at most, and a map for it would be the largest thing about them. */
  #key: ContextKey<unknown> | undefined
  #value: unknown
  #values: Map<ContextKey<unknown>, unknown> | undefined

  /** The legacy revision that the caller speaks; undefined for a modern one. */
  revision: string | undefined

  constructor(readonly caller: Caller) {}

  /** Set once the caller left, cancelled, or time ran out. */
  get cancelled(): CancelReason | undefined {
    return this.#reason
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Calls back once when the call is cancelled (at once if it already is). Returns how to stop listening. */
  onCancel(listener: CancelListener): () => void {
    if (this.#reason !== undefined) {
      listener(this.#reason)
      return () => {}
    }
    if (this.#listeners === undefined) this.#listeners = listener
    else if (this.#listeners instanceof Set) this.#listeners.add(listener)
    else this.#listeners = new Set([this.#listeners, listener])
    return () => {
      if (this.#listeners === listener) this.#listeners = undefined
      else if (this.#listeners instanceof Set) this.#listeners.delete(listener)
    }
  }

  cancel(reason: CancelReason): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners instanceof Set) for (const listener of listeners) listener(reason)
    else listeners?.(reason)
    this.#controller?.abort(reason)
  }

  get<T>(key: ContextKey<T>): T | undefined {
    return (this.#key === key ? this.#value : this.#values?.get(key)) as T | undefined
  }

  set<T>(key: ContextKey<T>, value: T): void {
    if (this.#key === undefined || this.#key === key) {
      this.#key = key
      this.#value = value
      return
    }
    this.#values ??= new Map()
    this.#values.set(key, value)
  }

  /** A context for a call made on behalf of this one: same caller and values, cancelled along with it. */
  child(): { context: Context; release: () => void } {
    const context = new Context(this.caller)
    context.#key = this.#key
    context.#value = this.#value
    context.#values = this.#values === undefined ? undefined : new Map(this.#values)
    context.revision = this.revision
    const release = this.onCancel(reason => context.cancel(reason))
    return { context, release }
  }
}

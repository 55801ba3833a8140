import type { Handler } from '../exchange/exchange.js'
import type { StopReason } from './events.js'
import type { Link } from './link.js'

export interface ModernConnection {
  readonly link: Link
  readonly handler: Handler
}

export interface ModernConnectionsOptions {
  /** Milliseconds without a call after which a connection is closed. */
  readonly idleTimeout: number
  /** What calls of a session get that has ended. */
  readonly gone: () => Error
  readonly opened: (key: string) => void
  /** A connection is about to be closed; somebody may listen on it. */
  readonly stopping: (key: string, link: Link, reason: StopReason, listened: boolean) => void
}

interface Opening {
  connection: Promise<ModernConnection>
  /** Whoever it is for has left meanwhile. */
  ended: boolean
}

/** Connections to one modern server: one for each group of callers. */
export class ModernConnections {
  readonly #options: ModernConnectionsOptions
  readonly #connections = new Map<string, ModernConnection>()
  readonly #opening = new Map<string, Opening>()
  /** Connections that are on their way out: a program takes its time to end. */
  readonly #closing = new Set<Promise<void>>()
  #sweep: ReturnType<typeof setInterval> | undefined

  constructor(options: ModernConnectionsOptions) {
    this.#options = options
  }

  /** A connection that stands. */
  get(key: string): ModernConnection | undefined {
    const connection = this.#connections.get(key)
    return connection === undefined || connection.link.closed ? undefined : connection
  }

  all(): readonly ModernConnection[] {
    return [...this.#connections.values()].filter(({ link }) => !link.closed)
  }

  /** The group's connection; `open` makes it where there is none. */
  need(key: string, open: () => Promise<ModernConnection>): Promise<ModernConnection> {
    const connection = this.get(key)
    if (connection !== undefined) return Promise.resolve(connection)
    const opening = this.#opening.get(key) ?? this.#open(key, open)
    return opening.connection
  }

  adopt(key: string, connection: ModernConnection): ModernConnection {
    this.#connections.set(key, connection)
    const { idleTimeout } = this.#options
    if (Number.isFinite(idleTimeout) && this.#sweep === undefined) {
      this.#sweep = setInterval(() => this.#closeIdle(), Math.max(20, Math.min(1000, idleTimeout / 4)))
      ;(this.#sweep as { unref?: () => void }).unref?.()
    }
    this.#options.opened(key)
    return connection
  }

  /** Whoever it served has left, with all credentials that he had. */
  end(key: string): void {
    for (const [each, opening] of this.#opening) if (isOf(each, key)) opening.ended = true
    for (const each of [...this.#connections.keys()]) if (isOf(each, key)) this.#stop(each, 'session')
  }

  /** Makes room by closing the connection that has been idle for longest. */
  closeOne(): boolean {
    let oldest: string | undefined
    let since = Number.POSITIVE_INFINITY
    for (const [key, { link }] of this.#connections) {
      if (link.closed || link.size > 0 || link.lastUsed >= since) continue
      oldest = key
      since = link.lastUsed
    }
    if (oldest === undefined) return false
    this.#stop(oldest, 'room')
    return true
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    const open = [...this.#connections.values()].map(({ link }) => link.close())
    await Promise.allSettled([...this.#closing, ...open])
    this.#connections.clear()
  }

  #open(key: string, open: () => Promise<ModernConnection>): Opening {
    const connect = async () => {
      try {
        const connection = await open()
        this.adopt(key, connection)
        if (!opening.ended) return connection
      } finally {
        this.#opening.delete(key)
      }
      this.#stop(key, 'session')
      throw this.#options.gone()
    }
    const opening = { ended: false } as Opening
    this.#opening.set(key, opening)
    opening.connection = connect()
    return opening
  }

  #closeIdle(): void {
    const time = performance.now()
    for (const [key, { link }] of this.#connections) {
      if (link.closed) this.#connections.delete(key)
      else if (link.busy) link.lastUsed = time
      else if (time - link.lastUsed >= this.#options.idleTimeout) this.#stop(key, 'idle')
    }
  }

  #stop(key: string, reason: StopReason): void {
    const connection = this.#connections.get(key)
    if (connection === undefined) return
    this.#connections.delete(key)
    const { link } = connection
    if (link.closed) return
    this.#options.stopping(key, link, reason, link.size > 0)
    const closing = link.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    closing.catch(() => {})
  }
}

function isOf(key: string, owner: string): boolean {
  return key === owner || key.startsWith(`${owner}|`)
}

import { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Era } from '../protocol/versions.js'
import { Backoff } from './backoff.js'
import type { UpstreamEvent } from './events.js'
import type { Link } from './link.js'
import type { Spare } from './opened.js'

export interface SparesOptions {
  /** How many there are to be. */
  readonly count: number
  /** A place for one more; false where there is none at this moment. */
  readonly take: () => boolean
  readonly release: () => void
  /** Starts one, which `opened` gets. Resolves when it is time for another one, with whether this one answered. */
  readonly prepare: (era: Era, context: Context, opened: (spare: Spare) => void) => Promise<boolean>
  readonly onEvent: (event: UpstreamEvent) => void
}

interface Entry {
  /** Rejects where it could not be opened. */
  readonly spare: Promise<Spare>
  link: Link | undefined
  /** It has had its time to start. */
  up: boolean
  /** It belongs to a caller now, and what becomes of it is told there. */
  taken: boolean
}

/** Servers that run already for whoever comes next: started one after another, replaced as they are taken or end. */
export class Spares {
  readonly #options: SparesOptions
  readonly #spares = new Set<Entry>()
  /** Cancelled at the end. */
  readonly #context = new Context({ binding: 'internal' })
  readonly #backoff = new Backoff({ budget: 0 })
  readonly #starting = new Set<Promise<void>>()
  readonly #closing = new Set<Promise<void>>()
  #era: Era | undefined
  #count: number
  #retry: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(options: SparesOptions) {
    this.#options = options
    this.#count = options.count
  }

  /** The same before anybody has come, and at least one for whoever comes first. */
  prepare(era: Era): void {
    this.#count = Math.max(1, this.#options.count)
    this.keep(era)
  }

  /** From now on they are kept: which era they speak decides how they are asked whether they are up. */
  keep(era: Era): void {
    this.#era = era
    this.fill()
  }

  /** Starts what is missing, where there is room and nothing went wrong just now. */
  fill(): void {
    const { take } = this.#options
    const era = this.#era
    if (era === undefined || this.#closed || this.#retry !== undefined || this.#spares.size >= this.#count)
      return
    // One after another: those who work need the machine as well.
    for (const { up } of this.#spares) if (!up) return
    if (!take()) return
    const starting = this.#start(era).finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
  }

  /** One that is up, else the one that is on its way; undefined where there is none. It keeps its place. */
  take(): Promise<Spare> | undefined {
    const spares = [...this.#spares].filter(({ link }) => link?.closed !== true)
    const spare = spares.find(({ up }) => up) ?? spares[0]
    if (spare === undefined) return undefined
    this.#spares.delete(spare)
    this.#count = this.#options.count
    spare.taken = true
    if (spare.link !== undefined) spare.link.onClosed = undefined
    this.fill()
    return spare.spare
  }

  /** Makes room for somebody who needs it. */
  closeOne(): boolean {
    for (const spare of this.#spares) {
      if (spare.link === undefined) continue
      this.#spares.delete(spare)
      this.#options.onEvent({ type: 'stopped', reason: 'room' })
      this.#close(spare.link)
      return true
    }
    return false
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    for (const { link } of this.#spares) if (link !== undefined) this.#close(link)
    this.#context.cancel('shutdown')
    await Promise.allSettled([...this.#starting])
    await Promise.allSettled([...this.#closing])
  }

  async #start(era: Era): Promise<void> {
    const { prepare, onEvent } = this.#options
    const began = performance.now()
    onEvent({ type: 'starting', spare: true })
    let open: (spare: Spare) => void = () => {}
    let fail: (error: unknown) => void = () => {}
    const promise = new Promise<Spare>((resolve, reject) => {
      open = resolve
      fail = reject
    })
    promise.catch(() => {})
    const entry: Entry = { spare: promise, link: undefined, up: false, taken: false }
    this.#spares.add(entry)
    try {
      const answered = await prepare(era, this.#context, spare => {
        entry.link = spare.link
        if (!entry.taken) this.#watch(entry, spare.link, began)
        open(spare)
      })
      entry.up = true
      this.#backoff.ready(performance.now())
      if (answered && this.#spares.has(entry))
        onEvent({ type: 'ready', era, milliseconds: performance.now() - began, spare: true })
    } catch (error) {
      fail(error)
      this.#failed(entry, error, entry.link === undefined ? undefined : began)
    }
    this.fill()
  }

  #watch(spare: Entry, link: Link, began: number): void {
    link.onClosed = error => {
      const asked = !this.#spares.has(spare)
      this.#options.release()
      if (asked || this.#closed) return
      const why = error ?? new TransportError('ERR_CLOSED', 'The server closed the connection')
      this.#failed(spare, why, began)
    }
  }

  /** It could not be opened (`began` is undefined), or ended while nobody had it: the next one is started after a while. */
  #failed(spare: Entry, error: unknown, began?: number): void {
    // Told already, or taken: then its caller's start fails, and gives its place back.
    if (!this.#spares.delete(spare)) return
    const { count, onEvent, release } = this.#options
    // The first one is not tried again for nobody.
    this.#count = count
    const time = performance.now()
    const retryIn = this.#backoff.failed(error, time)
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.fill()
    }, retryIn)
    if (began === undefined) release()
    if (this.#closed) return
    const failed = error as Error
    if (spare.up && began !== undefined)
      onEvent({ type: 'exited', error: failed, milliseconds: time - began, spare: true })
    else onEvent({ type: 'failed', error: failed, failures: this.#backoff.failures, retryIn, spare: true })
  }

  #close(link: Link): void {
    const closing = link.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
    closing.catch(() => {})
  }
}

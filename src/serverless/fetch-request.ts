/** One web-standard `Request` as the HTTP seam sees it. */

import type { HttpIdentity, HttpRequest } from '../exchange/http.js'
import { bodyCut, bodyNotText, bodyTooLarge } from '../exchange/http-body-errors.js'

const noop = () => {}

export class FetchRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly scheme: 'http' | 'https'
  identity: HttpIdentity | undefined = undefined
  called = false
  readonly #request: Request
  readonly #host: string
  readonly #listeners = new Set<() => void>()
  #listening = false
  #state: 'open' | 'gone' | 'complete' = 'open'

  /** `address` is the peer's, where the platform tells. */
  constructor(
    request: Request,
    readonly address?: string,
  ) {
    const url = new URL(request.url)
    this.#request = request
    this.#host = url.host
    this.method = request.method
    this.path = url.pathname
    this.query = url.search.slice(1)
    this.scheme = url.protocol === 'https:' ? 'https' : 'http'
  }

  header(name: string): string | undefined {
    // Many platforms put the name that was asked for into the URL alone.
    return this.#request.headers.get(name) ?? (name === 'host' ? this.#host : undefined)
  }

  async text(limit: number): Promise<string> {
    const { body } = this.#request
    if (body === null) return ''
    if (Number(this.header('content-length') ?? 0) > limit) {
      body.cancel().catch(noop)
      throw bodyTooLarge(limit)
    }
    const reader = body.getReader()
    const stop = () => void reader.cancel().catch(noop)
    const off = this.onHangup(stop)
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    let text = ''
    let length = 0
    try {
      for (;;) {
        const step = await reader.read().catch(error => {
          throw bodyCut(error)
        })
        // Cancelling the reader ends it like the last byte would.
        if (this.#state === 'gone') throw bodyCut()
        if (step.done) return text + decoded(decoder)
        length += step.value.byteLength
        if (length > limit) throw bodyTooLarge(limit)
        text += decoded(decoder, step.value)
      }
    } catch (error) {
      stop()
      throw error
    } finally {
      off()
    }
  }

  onHangup(listener: () => void): () => void {
    if (this.#state === 'complete') return noop
    if (!this.#listening) {
      this.#listening = true
      if (this.#request.signal.aborted) this.#state = 'gone'
      else this.#request.signal.addEventListener('abort', this.hangUp)
    }
    if (this.#state === 'gone') {
      listener()
      return noop
    }
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** The client left, as the request's signal or the reply's stream says. */
  readonly hangUp = (): void => {
    if (this.#state !== 'open') return
    this.#end('gone')
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }

  /** The reply is whole: some platforms abort the signal afterwards as well. */
  complete(): void {
    if (this.#state !== 'open') return
    this.#end('complete')
    this.#listeners.clear()
  }

  #end(state: 'gone' | 'complete'): void {
    this.#state = state
    if (this.#listening) this.#request.signal.removeEventListener('abort', this.hangUp)
  }
}

function decoded(decoder: TextDecoder, chunk?: Uint8Array): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
  } catch {
    throw bodyNotText()
  }
}

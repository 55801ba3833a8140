/** One request and its answer: what undici tells on one side, the HTTP seam on the other. */

import type { IncomingHttpHeaders } from 'node:http'
import type { Client, Dispatcher } from 'undici'
import type { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpBodyListener, HttpCall } from '../../exchange/http-client.js'
import { answerFailure } from './http-failure.js'
import type { HttpRoute } from './http-route.js'

/** Who makes conversations, and hears of what only it can handle. */
export interface ConversationOwner {
  readonly responseTimeout: number
  readonly readTimeout: number
  /** It needs no connection any more. Called once. */
  released(conversation: HttpConversation): void
  /** The connection was gone before anything was written to it. Called at most once. */
  repeat(conversation: HttpConversation): void
  /** What to answer instead of a redirect; undefined for the redirect itself. */
  redirected(conversation: HttpConversation): Promise<HttpAnswer> | undefined
}

/** Bytes of a body that nobody listens to yet, beyond which reading stops. */
const MAX_EARLY = 64 * 1024

/** Both sides in one object: one is made for each request. */
export class HttpConversation implements Dispatcher.DispatchHandler, HttpAnswer {
  readonly head: Promise<HttpAnswer>
  status = 0
  /** Set by who gives it one. */
  connection: Client | undefined
  #headers: IncomingHttpHeaders | undefined
  #resolve!: (answer: HttpAnswer | Promise<HttpAnswer>) => void
  #reject!: (error: Error) => void
  #controller: Dispatcher.DispatchController | undefined
  #listener: HttpBodyListener | undefined
  /** What came before the listener, or while it did not want more. */
  #early: Uint8Array[] | undefined
  #earlyLength = 0
  #paused = false
  #stopped: TransportError | undefined
  /** The body has ended: well (`true`), or not. */
  #end: true | Error | undefined
  #told = false
  #repeated = false
  #released = false
  readonly #off: () => void

  constructor(
    private readonly owner: ConversationOwner,
    readonly call: HttpCall,
    readonly context: Context,
    readonly route: HttpRoute,
    readonly request: Dispatcher.DispatchOptions,
    /** How many redirects have led here. */
    readonly redirects: number,
  ) {
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#off = context.onCancel(reason =>
      this.stop(new TransportError('ERR_CANCELLED', `The call was cancelled (${reason})`)),
    )
  }

  header(name: string): string | undefined {
    const value = this.#headers?.[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  listen(listener: HttpBodyListener): void {
    this.#listener = listener
    this.#flush()
  }

  pause(): void {
    this.#paused = true
    if (this.#end === undefined) this.#controller?.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#flush()
  }

  cancel(): void {
    this.#told = true
    this.stop(new TransportError('ERR_CANCELLED', 'The rest of the answer was given up'))
  }

  /** Hangs up, whatever state it is in. */
  stop(reason: TransportError): void {
    if (this.#end !== undefined || this.#stopped !== undefined) return
    this.#stopped = reason
    if (this.#controller !== undefined) {
      this.#controller.abort(reason)
      return
    }
    this.#fail(reason)
    // Where a connection is being made for it, undici drops it then.
    if (this.connection === undefined) this.#release()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#stopped !== undefined) controller.abort(this.#stopped)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // An informational one (RFC 9110, section 15.2); the answer follows.
    if (status < 200) return
    this.status = status
    this.#headers = headers
    this.#resolve((status >= 300 && status < 400 && this.owner.redirected(this)) || this)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#listener !== undefined && this.#early === undefined && !this.#paused) {
      if (!this.#told) this.#listener.data(chunk)
      return
    }
    this.#early ??= []
    this.#early.push(chunk)
    this.#earlyLength += chunk.byteLength
    if (this.#earlyLength > MAX_EARLY) controller.pause()
  }

  onResponseEnd(): void {
    this.#finish(true)
    this.#release()
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    const started = this.#controller !== undefined
    if (!started && !this.#repeated && this.#stopped === undefined && isLoss(cause)) {
      this.#repeated = true
      this.owner.repeat(this)
      return
    }
    this.#fail(cause)
    this.#release()
  }

  #fail(cause: Error): void {
    if (this.#end !== undefined) return
    const { responseTimeout, readTimeout } = this.owner
    const inBody = this.status !== 0
    const failure = answerFailure(cause, this.route.hop, {
      phase: inBody ? 'body' : this.#controller === undefined ? 'unsent' : 'head',
      timeout: inBody ? readTimeout : responseTimeout,
    })
    if (!inBody) this.#reject(failure)
    this.#finish(failure)
  }

  #finish(end: true | Error): void {
    this.#end = end
    this.#off()
    if (this.#early === undefined && !this.#paused) this.#tell()
  }

  #release(): void {
    if (this.#released) return
    this.#released = true
    this.owner.released(this)
  }

  #flush(): void {
    const listener = this.#listener
    if (listener === undefined) return
    if (this.#early !== undefined) {
      const early = this.#early
      let index = 0
      while (index < early.length && !this.#paused && !this.#told) listener.data(early[index++] as Uint8Array)
      if (this.#paused && index < early.length) {
        this.#early = early.slice(index)
        return
      }
      this.#early = undefined
      this.#earlyLength = 0
    }
    if (this.#paused) return
    if (this.#end !== undefined) this.#tell()
    // Not within undici's parser, which may be where we are called from: it is one for all connections.
    else if (this.#controller?.paused) queueMicrotask(this.#goOn)
  }

  readonly #goOn = () => {
    if (!this.#paused && this.#end === undefined) this.#controller?.resume()
  }

  #tell(): void {
    if (this.#told || this.#listener === undefined) return
    this.#told = true
    if (this.#end === true) this.#listener.closed()
    else this.#listener.closed(this.#end)
  }
}

/** Of an idle connection that a waiting request was about to get. */
function isLoss(cause: Error): boolean {
  const { code } = cause as NodeJS.ErrnoException
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}

import type { JSONObject } from '../protocol/message.js'
import type { Caller } from './context.js'
import type { HttpRequest } from './http.js'

/** Who sends a request, as far as its connection and our own checks tell. */
export function httpCaller(
  binding: 'streamable-http' | 'sse',
  request: HttpRequest,
  principal: string | undefined,
  session?: string,
): Caller {
  return new HttpCaller(binding, request, principal, session) as Caller
}

/** A class, since one is made per call, and a closure for the headers would be two objects more. */
class HttpCaller {
  readonly address: string | undefined
  readonly claims: JSONObject | undefined
  readonly #request: HttpRequest

  constructor(
    readonly binding: 'streamable-http' | 'sse',
    request: HttpRequest,
    readonly principal: string | undefined,
    readonly session: string | undefined,
  ) {
    this.address = request.address
    this.claims = request.identity?.claims
    this.#request = request
    request.called = true
  }

  header(name: string): string | undefined {
    return this.#request.header(name)
  }
}

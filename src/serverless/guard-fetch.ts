/** Guards around a plain function of web-standard `Request` and `Response`, whatever it serves. */

import type { HttpHandler, HttpIdentity, HttpMiddleware, HttpReply } from '../exchange/http.js'
import { FetchRequest } from './fetch-request.js'

/** What the guards found out about who sends a request. */
export interface GuardedCaller {
  /** Set by `authentication`. */
  readonly identity: HttpIdentity | undefined
  /** Of the client, where a trusted proxy told it; else of the peer. */
  readonly address: string | undefined
}

export interface GuardFetchOptions {
  /** The peer's network address, where the platform tells. Default: not known. */
  readonly addressOf?: ((request: Request) => string | undefined) | undefined
}

/**
 * Lets the guards look at each request before the handler, the first one outermost. What they refuse never reaches it; what it throws
 * they do not hide.
 */
export function guardFetch(
  handler: (request: Request, caller: GuardedCaller) => Response | Promise<Response>,
  guards: readonly HttpMiddleware[],
  { addressOf = () => undefined }: GuardFetchOptions = {},
): (request: Request) => Promise<Response> {
  return async request => {
    let answered: Response | undefined
    const inside: HttpHandler = async ({ identity, address }) => {
      answered = await handler(request, { identity, address })
      return { status: answered.status, headers: Object.fromEntries(answered.headers) }
    }
    const guarded = guards.reduceRight((next, guard) => guard(next), inside)
    const reply = await guarded(new FetchRequest(request, addressOf(request)))
    return answered === undefined ? refusal(reply) : marked(answered, reply)
  }
}

/** Guards answer with text, or with nothing. */
function refusal({ status, headers, body }: HttpReply): Response {
  return new Response(typeof body === 'string' ? body : null, { status, headers })
}

/** The handler's own response, with what guards say in its headers. */
function marked(answered: Response, { status, headers: said }: HttpReply): Response {
  const headers = new Headers(answered.headers)
  for (const [name, value] of Object.entries(said)) {
    // There may be several cookies, which are no matter of guards.
    if (name === 'set-cookie' || headers.get(name) === value) continue
    if (name === 'vary' && headers.has(name)) headers.append(name, value)
    else headers.set(name, value)
  }
  return new Response(answered.body, { status, statusText: answered.statusText, headers })
}

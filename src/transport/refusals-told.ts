import type { HttpMiddleware, HttpReply, HttpRequest } from '../exchange/http.js'
import { failureReply } from '../exchange/http-reply.js'
import type { StreamableHttpOptions } from './streamable-http/serve.js'

/** Tells of each request that is answered with a status of 400 or more although there was no call. */
export function refusalsTold(onRefused: NonNullable<StreamableHttpOptions['onRefused']>): HttpMiddleware {
  const tell = (request: HttpRequest, reply: HttpReply, began: number): void => {
    if (request.called) return
    // Once.
    request.called = true
    onRefused(request, reply, performance.now() - began)
  }
  return next => request => {
    const began = performance.now()
    return next(request).then(
      reply => {
        if (reply.status >= 400) tell(request, reply, began)
        return reply
      },
      error => {
        tell(request, failureReply(error), began)
        throw error
      },
    )
  }
}

import type { HttpMiddleware, HttpReply } from '../exchange/http.js'
import { failureReply } from '../exchange/http-reply.js'
import type { StreamableHttpOptions } from './streamable-http/serve.js'

/** Tells of each request that is answered with a status of 400 or more although there was no call. */
export function refusalsTold(onRefused: NonNullable<StreamableHttpOptions['onRefused']>): HttpMiddleware {
  return next => request => {
    const began = performance.now()
    const tell = (reply: HttpReply) => {
      if (request.called) return
      // Once.
      request.called = true
      onRefused(request, reply, performance.now() - began)
    }
    return next(request).then(
      reply => {
        if (reply.status >= 400) tell(reply)
        return reply
      },
      error => {
        tell(failureReply(error))
        throw error
      },
    )
  }
}

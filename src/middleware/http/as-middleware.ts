import type { HttpMiddleware } from '../../exchange/http.js'
import type { HttpGuard } from './host-guard.js'

/** A guard that only lets pass or refuses, as something around a handler. */
export function asMiddleware(guard: HttpGuard): HttpMiddleware {
  return next => request => {
    const refused = guard(request)
    return refused === undefined ? next(request) : Promise.resolve(refused)
  }
}

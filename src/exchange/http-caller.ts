import type { Caller } from './context.js'
import type { HttpRequest } from './http.js'

/** Who sends a request, as far as its connection and our own checks tell. */
export function httpCaller(
  binding: 'streamable-http' | 'sse',
  request: HttpRequest,
  principal: string | undefined,
  session?: string,
): Caller {
  return {
    binding,
    principal,
    session,
    address: request.address,
    header: (name: string) => request.header(name),
  } as Caller
}

import type { AuthenticationMethod } from './authentication.js'

/**
 * Takes client certificates that TLS has verified; the subject is the principal. A token beside one decides in its place.
 */
export function certificates(): AuthenticationMethod {
  return {
    checkRequest: ({ certificate }) =>
      certificate === undefined ? undefined : { principal: certificate, claims: { sub: certificate } },
  }
}

/** Pages beside the endpoints of a face, behind the same guards. */

import type { HttpReply, HttpRequest } from '../exchange/http.js'
import type { HttpAccess } from './open-access.js'

/** What is served beside the endpoints. Each gives undefined for what it has not. */
export interface HttpBeside {
  /** Answers all whose host and origin are accepted. */
  open(request: HttpRequest): Promise<HttpReply> | undefined
  /** Answers those who may call. */
  inside(request: HttpRequest): Promise<HttpReply> | undefined
}

/** The same guards, with something beside what they guard. */
export function accessBeside(access: HttpAccess, beside: HttpBeside): HttpAccess {
  return {
    ...access,
    entrance(face) {
      const entrance = access.entrance(face)
      return next => {
        const inside = entrance(request => beside.inside(request) ?? next(request))
        return request => beside.open(request) ?? inside(request)
      }
    },
  }
}

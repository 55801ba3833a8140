/** The body of a POST: one message or a batch. */

import { INVALID_REQUEST, PARSE_ERROR, RpcError, TOO_LARGE } from '../protocol/errors.js'
import type { JSONRPCMessage } from '../protocol/message.js'
import { idOf, type ParseLimits, parseBody } from '../protocol/parse.js'
import type { HttpReply, HttpRequest } from './http.js'
import { errorReply } from './http-reply.js'

export interface BodyLimits extends ParseLimits {
  /** Bytes. */
  readonly maxBody: number
}

export const DEFAULT_MAX_BODY = 4 * 1024 * 1024

export type Body = JSONRPCMessage | readonly JSONRPCMessage[]

/** A body that could not be taken, and the reply that says why. */
export class BodyRefusal {
  constructor(readonly reply: HttpReply) {}
}

/** `application/json`, whatever its parameters. */
export function isJsonType(contentType: string | undefined): boolean {
  return (
    contentType === 'application/json' ||
    (contentType !== undefined && /^\s*application\/json\s*(;|$)/i.test(contentType))
  )
}

/** Reads and parses; never rejects. */
export function readBody(request: HttpRequest, limits: BodyLimits): Promise<Body | BodyRefusal> {
  return request.text(limits.maxBody).then(
    text => parsed(text, limits),
    error => new BodyRefusal(replyTo(error, undefined, limits.maxBody)),
  )
}

function parsed(text: string, limits: BodyLimits): Body | BodyRefusal {
  try {
    return parseBody(text, { maxDepth: limits.maxDepth, unambiguous: true })
  } catch (error) {
    return new BodyRefusal(replyTo(error, text, limits.maxBody))
  }
}

function replyTo(error: unknown, text: string | undefined, maxBody: number): HttpReply {
  // The connection broke; nobody will read this.
  if (!(error instanceof RpcError)) {
    return errorReply(400, { code: INVALID_REQUEST, message: 'The request body could not be read' })
  }
  if (error.code === TOO_LARGE && text === undefined) {
    return errorReply(413, {
      code: TOO_LARGE,
      message: `The request body exceeds ${maxBody} bytes (--max-body)`,
      data: { option: '--max-body', limit: maxBody },
    })
  }
  const id = error.code === PARSE_ERROR || text === undefined ? undefined : idOf(text)
  return errorReply(error.code === TOO_LARGE ? 413 : 400, error.toErrorObject(), id)
}

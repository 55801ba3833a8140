import type { JSONObject } from '../protocol/message.js'
import type { Caller } from './context.js'

/**
 * The token that a caller showed, for those who exchange it (RFC 8693). It stands beside the claims rather than among them: whatever
 * logs, copies or serialises a caller never meets it.
 */
const tokens = new WeakMap<JSONObject, string>()

/** To be called by what has verified the token, with the very claims that it hands on. */
export function keepSubjectToken(claims: JSONObject, token: string): void {
  tokens.set(claims, token)
}

/** Undefined where the caller showed no token of an authorization server. */
export function subjectTokenOf({ claims }: Caller): string | undefined {
  return claims === undefined ? undefined : tokens.get(claims)
}

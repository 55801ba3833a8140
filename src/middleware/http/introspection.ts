/** Tokens that only their authorization server can read: it is asked about each (RFC 7662). */

import { keepSubjectToken } from '../../exchange/subject-token.js'
import type { JSONObject } from '../../protocol/message.js'
import { type AudienceTest, audienceTest } from './audience.js'
import { type AuthenticationMethod, CredentialRefusal, type Verdict } from './authentication.js'
import { boundedJson, type Fetch, secureUrl } from './bounded-json.js'
import { VerdictMemory } from './verdict-memory.js'

export interface IntrospectionOptions {
  /** The authorization server that clients are led to, and whose subjects these are. */
  readonly issuer: string
  /** Its introspection endpoint. */
  readonly url: string
  /** As whom we ask, with `client_secret_basic`. */
  readonly clientId: string
  readonly clientSecret: string
  /** One of these must be in `aud`: else a token that another service got could be used here. */
  readonly audience: readonly string[]
  /** Milliseconds that an answer may take. Default 5 seconds. */
  readonly timeout?: number | undefined
  /** Milliseconds for which an answer holds, unless the token expires: revoked tokens work so long. Default 30 seconds. */
  readonly maxAge?: number | undefined
  /** Questions that may be open at once. Default 64. */
  readonly maxQuestions?: number | undefined
  readonly fetch?: Fetch | undefined
}

/**
 * Takes every bearer token that the methods before it do not know. The principal is `ISSUER#SUBJECT`, the claims are the answer's.
 * Throws `TypeError` for options that cannot work or are not safe.
 */
export function introspection(options: IntrospectionOptions): AuthenticationMethod {
  const {
    issuer,
    audience,
    clientId,
    clientSecret,
    timeout = 5_000,
    maxAge = 30_000,
    maxQuestions = 64,
  } = options
  const url = secureUrl('introspection url', options.url).href
  secureUrl('issuer', issuer)
  const isForUs = audienceTest('introspection', audience)
  const fetch: Fetch = options.fetch ?? ((address, init) => globalThis.fetch(address, init))
  const authorization = `Basic ${btoa(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}`
  const memory = new VerdictMemory(1_000, Date.now)
  // Apart, so that made-up tokens do not drive out the good ones.
  const refused = new VerdictMemory(1_000, Date.now)
  const open = new Map<string, Promise<Verdict>>()

  const ask = async (token: string): Promise<Verdict> => {
    let answer: JSONObject
    try {
      answer = await boundedJson(url, {
        fetch,
        timeout,
        init: {
          method: 'POST',
          headers: {
            accept: 'application/json',
            authorization,
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
        },
      })
    } catch {
      return new CredentialRefusal('The authorization server does not answer just now', 'unavailable')
    }
    const verdict = verdictOn(answer, issuer, isForUs)
    if (!(verdict instanceof CredentialRefusal)) keepSubjectToken(answer, token)
    const kept = verdict instanceof CredentialRefusal ? refused : memory
    const end = typeof answer.exp === 'number' ? answer.exp * 1_000 : Infinity
    kept.set(token, verdict, Math.min(Date.now() + maxAge, kept === memory ? end : Infinity))
    return verdict
  }

  return {
    issuers: [issuer],
    checkCredential({ from, token }) {
      if (from !== 'bearer') return undefined
      const known = memory.get(token) ?? refused.get(token) ?? open.get(token)
      if (known !== undefined) return known
      if (open.size >= maxQuestions)
        return new CredentialRefusal('Too many tokens are being checked', 'unavailable')
      const asked = ask(token).finally(() => open.delete(token))
      open.set(token, asked)
      return asked
    },
  }
}

function verdictOn(answer: JSONObject, issuer: string, isForUs: AudienceTest): Verdict {
  if (answer.active !== true) return new CredentialRefusal('The token is not active')
  if (answer.iss !== undefined && answer.iss !== issuer)
    return new CredentialRefusal('The token is of another issuer')
  if (typeof answer.exp === 'number' && answer.exp * 1_000 <= Date.now())
    return new CredentialRefusal('The token has expired')
  if (!isForUs(answer.aud)) return new CredentialRefusal('The token is not for this server')
  // Tokens that a client got for itself have no subject.
  const subject = answer.sub ?? answer.client_id
  if (typeof subject !== 'string' || subject === '') return new CredentialRefusal('The token has no subject')
  return { principal: `${issuer}#${subject}`, claims: answer }
}

/** RFC 6749 section 2.3.1. */
function formEncoded(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2)
}

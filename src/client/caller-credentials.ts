/** What a remote server gets to see of who calls, where it is not the same for all. */

import type { Caller, Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Authorizer } from '../exchange/http-client.js'
import { canonicalJson } from '../legacy/capabilities.js'
import type { JSONObject } from '../protocol/message.js'
import type { TokenExchange } from './oauth/token-exchange.js'

export interface CallerCredentials {
  /**
   * What the requests of a caller carry. Callers whose `key` differs must never share a connection. Throws `TransportError`
   * ERR_SIGN_IN that names the claim which a caller lacks.
   */
  of(caller: Caller): CallerSignature
}

export interface CallerSignature {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly authorizer: Authorizer | undefined
  /** Rejects where this caller cannot be signed for: before anybody else waits for what is opened for him. */
  ready(context: Context): Promise<void>
}

/** A header's value in parts: text, the caller's principal, or a claim about the caller. */
export interface CallerHeader {
  readonly name: string
  readonly parts: readonly (string | CallerValue)[]
}

export type CallerValue = { readonly kind: 'principal' } | { readonly kind: 'claim'; readonly name: string }

export interface CallerCredentialsOptions {
  /** The server, as a person may see it. */
  readonly name: string
  readonly headers?: readonly CallerHeader[] | undefined
  readonly exchange?: TokenExchange | undefined
}

export function callerCredentials(options: CallerCredentialsOptions): CallerCredentials {
  const { name, headers = [], exchange } = options
  // Claims are the same object as long as the token is known. Some methods have one such object for many principals.
  const known = new WeakMap<
    JSONObject,
    { readonly principal: string | undefined; readonly signature: CallerSignature }
  >()
  const make = (caller: Caller): CallerSignature => {
    const sent = Object.fromEntries(headers.map(header => [header.name, headerFor(header, caller, name)]))
    const authorizer = exchange?.of(caller)
    return {
      key: canonicalJson([caller.principal ?? null, sent, authorizer?.key ?? null]),
      headers: sent,
      authorizer,
      async ready(context) {
        await authorizer?.headers(context)
      },
    }
  }
  return {
    of(caller) {
      const { claims, principal } = caller
      if (claims === undefined) return make(caller)
      const found = known.get(claims)
      if (found !== undefined && found.principal === principal) return found.signature
      const signature = make(caller)
      known.set(claims, { principal, signature })
      return signature
    },
  }
}

const MAX_VALUE = 4_096

function headerFor({ name, parts }: CallerHeader, caller: Caller, server: string): string {
  let value = ''
  for (const part of parts) value += typeof part === 'string' ? part : textOf(part, name, caller, server)
  return value
}

/** A claim may hold what its person chose: nothing in it may end a header, hide in one, or look like another person's. */
function textOf(part: CallerValue, header: string, { principal, claims }: Caller, server: string): string {
  const what = part.kind === 'principal' ? 'the principal' : `the claim ${JSON.stringify(part.name)}`
  const fail = (why: string) =>
    new TransportError('ERR_SIGN_IN', `${server} is called with ${what} of who calls (${header}): ${why}`, {
      hop: server,
      knob: 'headers',
      ofCaller: true,
    })
  if (principal === undefined) throw fail('this caller has not authenticated')
  const given =
    part.kind === 'principal'
      ? principal
      : claims !== undefined && Object.hasOwn(claims, part.name)
        ? claims[part.name]
        : undefined
  if (given === undefined || given === null || given === '') throw fail('this caller has none')
  if (typeof given === 'object') throw fail('it is a list or a map, which no header can hold')
  const text = String(given)
  if (text.length > MAX_VALUE) throw fail(`it has more than ${MAX_VALUE} characters`)
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text))
    throw fail('it holds a character that no header can carry safely, or begins or ends with a space')
  return text
}

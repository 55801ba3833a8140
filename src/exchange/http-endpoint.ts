import type { Context } from './context.js'
import type { Authorizer, HttpAnswer, HttpCall, HttpClient } from './http-client.js'

/** Where a remote server is, and how it is reached. */
export interface HttpEndpoint {
  /** As a person may see it: without secrets. */
  readonly name: string
  /** Absolute. */
  readonly url: string
  readonly client: HttpClient
  /** Sent with every request; those of the protocol itself go before them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly authorizer?: Authorizer | undefined
  /** Bytes that a message from it may have. Default 64 MiB. */
  readonly maxMessage?: number | undefined
  /** How deep a message from it may nest. Default 128. */
  readonly maxDepth?: number | undefined
  /** Checks large messages that are kept as bytes; `isUtf8` of `node:buffer` is the fast one. Default: TextDecoder. */
  readonly isUtf8?: ((bytes: Uint8Array) => boolean) | undefined
}

export const DEFAULT_MAX_MESSAGE = 64 * 1024 * 1024

/** Refusals of one request that may be mended: a sign-in, then a scope that it needs. */
const MAX_REFUSALS = 3

/**
 * Sends one request, signed where somebody signs. A refusal that could be mended is not seen. Rejects as
 * {@link HttpClient.send}, or with what the authorizer says has to be done.
 */
export function sendTo(endpoint: HttpEndpoint, call: HttpCall, context: Context): Promise<HttpAnswer> {
  const { client, headers, authorizer } = endpoint
  const full = headers === undefined ? call : { ...call, headers: { ...headers, ...call.headers } }
  return authorizer === undefined ? client.send(full, context) : sendSigned(client, authorizer, full, context)
}

async function sendSigned(
  client: HttpClient,
  authorizer: Authorizer,
  call: HttpCall,
  context: Context,
): Promise<HttpAnswer> {
  for (let refusals = 1; ; refusals++) {
    const given = authorizer.headers(context)
    const sent = given instanceof Promise ? await given : given
    const answer = await client.send({ ...call, headers: { ...call.headers, ...sent } }, context)
    const status = refusalOf(answer)
    if (status === undefined || refusals > MAX_REFUSALS) return answer
    const challenge = answer.header('www-authenticate')
    if (!(await authorizer.refused({ status, challenge, sent }, context))) return answer
    answer.cancel()
  }
}

/** What another signature may mend (2026-07-28 basic/authorization, "Scope Challenge Handling"). */
function refusalOf(answer: HttpAnswer): 401 | 403 | undefined {
  if (answer.status === 401) return 401
  if (answer.status !== 403) return undefined
  return /\berror\s*=\s*"?insufficient_scope/i.test(answer.header('www-authenticate') ?? '') ? 403 : undefined
}

/** Requests of the doctor's own, beside those of a connection: of each only the head of the answer is looked at. */

import { Context } from '../../exchange/context.js'
import { within } from '../../exchange/deadline.js'
import type { HttpAnswer } from '../../exchange/http-client.js'
import { type HttpEndpoint, sendTo } from '../../exchange/http-endpoint.js'
import { version } from '../../node/version.js'
import { HEADER_PROTOCOL_VERSION, HEADER_SESSION } from '../../protocol/headers.js'
import { LATEST_LEGACY } from '../../protocol/versions.js'

const CALLER = { binding: 'internal' } as const

/** In a session that the server has never begun, as if it had been started anew since. */
export async function pingStale(endpoint: HttpEndpoint, revision: string | undefined, limit: number) {
  const headers = {
    [HEADER_SESSION]: crypto.randomUUID(),
    [HEADER_PROTOCOL_VERSION]: revision ?? LATEST_LEGACY,
  }
  return await ask(endpoint, { method: 'ping' }, headers, limit)
}

/** A session of its own, which is ended again. */
export async function initialize(
  endpoint: HttpEndpoint,
  headers: Readonly<Record<string, string>>,
  limit: number,
): Promise<HttpAnswer | undefined> {
  const clientInfo = { name: 'anyport', version: version() }
  const params = { protocolVersion: LATEST_LEGACY, capabilities: {}, clientInfo }
  const answer = await ask(endpoint, { method: 'initialize', params }, headers, limit)
  const session = answer?.header(HEADER_SESSION)
  if (session !== undefined) await send(endpoint, 'DELETE', { [HEADER_SESSION]: session }, undefined, limit)
  return answer
}

function ask(
  endpoint: HttpEndpoint,
  request: { readonly method: string; readonly params?: object },
  headers: Readonly<Record<string, string>>,
  limit: number,
): Promise<HttpAnswer | undefined> {
  const all = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  }
  return send(endpoint, 'POST', all, JSON.stringify({ jsonrpc: '2.0', id: 'doctor', ...request }), limit)
}

/** The head of the answer; its body is given up. Undefined where none comes in time. */
export async function send(
  endpoint: HttpEndpoint,
  method: 'POST' | 'DELETE' | 'OPTIONS',
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
  limit: number,
): Promise<HttpAnswer | undefined> {
  const context = new Context(CALLER)
  const call = { method, url: endpoint.url, headers, ...(body === undefined ? {} : { body }) }
  try {
    const answer = await within(sendTo(endpoint, call, context), limit, () => new Error('late'))
    answer.cancel()
    return answer
  } catch {
    context.cancel('timeout')
    return undefined
  }
}

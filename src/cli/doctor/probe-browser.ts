/** What a server tells browsers, which ask before they let a page call, and hide what a page may not read. */

import type { HttpEndpoint } from '../../exchange/http-endpoint.js'
import {
  HEADER_METHOD,
  HEADER_NAME,
  HEADER_PROTOCOL_VERSION,
  HEADER_SESSION,
} from '../../protocol/headers.js'
import type { Era } from '../../protocol/versions.js'
import { initialize, send } from './single-requests.js'

export interface BrowserFacts {
  readonly allowOrigin: string
  /** Headers of the protocol that a page may not send. */
  readonly refused: readonly string[]
  /** A session begins with a header that a page may not read. */
  readonly hidesSession: boolean
}

/** As the MCP Inspector calls. */
const ORIGIN = 'http://localhost:6274'

const SENT: Readonly<Record<Era, readonly string[]>> = {
  legacy: ['content-type', HEADER_PROTOCOL_VERSION],
  modern: ['content-type', HEADER_PROTOCOL_VERSION, HEADER_METHOD, HEADER_NAME],
}

export async function seenByBrowsers(
  endpoint: HttpEndpoint,
  era: Era,
  hasSessions: boolean,
  limit: number,
): Promise<BrowserFacts | undefined> {
  const sent = hasSessions ? [...SENT[era], HEADER_SESSION] : SENT[era]
  // Browsers ask without credentials (Fetch standard, "CORS-preflight fetch").
  const anonymous = { ...endpoint, headers: {}, authorizer: undefined }
  const asking = {
    origin: ORIGIN,
    'access-control-request-method': 'POST',
    'access-control-request-headers': sent.join(','),
  }
  const [asked, begun] = await Promise.all([
    send(anonymous, 'OPTIONS', asking, undefined, limit),
    hasSessions ? initialize(endpoint, { origin: ORIGIN }, limit) : undefined,
  ])
  const ofQuestion = asked?.header('access-control-allow-origin')
  const ofAnswer = begun?.header('access-control-allow-origin')
  const allowOrigin = ofAnswer ?? ofQuestion
  if (allowOrigin === undefined) return undefined
  const allowed = asked?.header('access-control-allow-headers')
  return {
    allowOrigin,
    refused: ofQuestion === undefined ? [] : sent.filter(name => !lists(allowed, name)),
    hidesSession:
      ofAnswer !== undefined && !lists(begun?.header('access-control-expose-headers'), HEADER_SESSION),
  }
}

function lists(header: string | undefined, name: string): boolean {
  const names = (header ?? '').split(',').map(part => part.trim().toLowerCase())
  return names.includes('*') || names.includes(name)
}

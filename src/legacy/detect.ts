/**
 * Which era a server belongs to, from what came back to a `server/discover` probe. A pure function: what to do
 * about the verdict is the caller's business. Specification: 2026-07-28 basic/transports/stdio, "Backward
 * Compatibility"; basic/versioning.
 */

import { HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION } from '../protocol/errors.js'
import type { JSONRPCResponse } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { readResult } from '../protocol/raw-json.js'
import { isModernVersion } from '../protocol/versions.js'

export type ProbeOutcome =
  | { readonly kind: 'response'; readonly response: JSONRPCResponse }
  | { readonly kind: 'silence' }
  | { readonly kind: 'closed' }

export type Verdict =
  | { readonly era: 'modern' }
  | {
      readonly era: 'legacy' /** The probe ended the server: it must be started again. */
      readonly reopen: boolean
    }
  /** Modern, but of no revision that we speak. */
  | { readonly era: 'unsupported'; readonly supported: readonly string[] }

export function detectEra(outcome: ProbeOutcome): Verdict {
  if (outcome.kind === 'silence') return { era: 'legacy', reopen: false }
  if (outcome.kind === 'closed') return { era: 'legacy', reopen: true }
  const { response } = outcome
  if ('result' in response) {
    const versions = readResult(response.result).supportedVersions
    if (!Array.isArray(versions)) return { era: 'legacy', reopen: false }
    return modernOf(versions)
  }
  switch (response.error.code) {
    case UNSUPPORTED_VERSION: {
      const supported = isObject(response.error.data) ? response.error.data.supported : undefined
      return Array.isArray(supported) ? modernOf(supported) : { era: 'legacy', reopen: false }
    }
    case HEADER_MISMATCH:
    case MISSING_CAPABILITY:
      return { era: 'modern' }
    default:
      return { era: 'legacy', reopen: false }
  }
}

function modernOf(versions: readonly unknown[]): Verdict {
  if (versions.some(isModernVersion)) return { era: 'modern' }
  const supported = versions.filter(version => typeof version === 'string')
  // A dual-era server may offer only legacy revisions to a client whose modern ones it does not know.
  if (supported.some(version => version < '2026')) return { era: 'legacy', reopen: false }
  return { era: 'unsupported', supported }
}

/** What came back to a modern request over HTTP. */
export interface HttpOutcome {
  readonly status: number
  /** Where the body holds one, whatever the status. */
  readonly response: JSONRPCResponse | undefined
}

export type HttpVerdict = Exclude<Verdict, { era: 'legacy' }> | { readonly era: 'legacy' | 'unknown' }

/**
 * The same for HTTP (2026-07-28 streamable-http, "Backward Compatibility"). Who wants a sign-in, is overloaded or is not reached by
 * what stands before it has said nothing about its era: `unknown`.
 */
export function detectHttpEra({ status, response }: HttpOutcome): HttpVerdict {
  if (response !== undefined) {
    const verdict = detectEra({ kind: 'response', response })
    if (verdict.era !== 'legacy') return verdict
  }
  if (status === 401 || status === 403 || status === 407 || status === 408 || status === 429)
    return { era: 'unknown' }
  // A server that fails on what it does not know is asked what it does know; a gateway's refusal is not its server's.
  if (status === 502 || status === 503 || status === 504) return { era: 'unknown' }
  return { era: 'legacy' }
}

/**
 * Whether a server that refuses `initialize` with this status may still be one of HTTP+SSE (2025-11-25 basic/transports, "Backwards
 * Compatibility", and the statuses that servers give in place of 405).
 */
export function mayBeSse(status: number | undefined): boolean {
  return status !== undefined && [400, 404, 405, 406, 415, 422, 501].includes(status)
}

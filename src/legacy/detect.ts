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

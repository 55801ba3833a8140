/** The record of a request that was refused before there was a call. */

import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import type { RefusedConnection } from '../../exchange/refused-connection.js'
import {
  HEADER_MISMATCH,
  INVALID_PARAMS,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  SHUTTING_DOWN,
  TOO_LARGE,
  UNSUPPORTED_VERSION,
  UPSTREAM_BUSY,
} from '../../protocol/errors.js'
import {
  decodeHeaderValue,
  HEADER_METHOD,
  HEADER_NAME,
  HEADER_PROTOCOL_VERSION,
  HEADER_SESSION,
} from '../../protocol/headers.js'
import { protocolVersionOf } from '../../protocol/meta.js'
import { isLegacyVersion, isModernVersion } from '../../protocol/versions.js'
import type { AuditRecord } from './audit.js'
import { isoOf } from './iso-time.js'
import { shortened } from './shortened.js'
import { targetOf } from './target-of.js'

/**
 * What is known of it: where nobody has read the body, method and target are those that its headers name. Headers besides those, the
 * query and the body are not recorded. `duration` in milliseconds.
 */
export function refusalRecord(request: HttpRequest, reply: HttpReply, duration = 0): AuditRecord {
  const { refusal, status, body } = reply
  const asked = refusal?.asked
  const length = Number(request.header('content-length'))
  return {
    time: isoOf(Date.now() - duration),
    binding: 'http',
    principal: request.identity?.principal,
    address: request.address,
    session: sessionOf(request),
    method: shortened(asked?.method ?? named(request, HEADER_METHOD)),
    target: shortened(asked === undefined ? named(request, HEADER_NAME) : targetOf(asked)),
    era: eraOf(request.header(HEADER_PROTOCOL_VERSION) ?? (asked && protocolVersionOf(asked))),
    outcome: status === 500 ? 'error' : 'refused',
    refusedBy: 'http',
    reason: refusal?.reason ?? BY_CODE[refusal?.code ?? 0] ?? BY_STATUS[status] ?? 'refused',
    code: refusal?.code,
    status,
    verb: shortened(request.method),
    path: shortened(request.path),
    duration: Math.round(duration * 1_000) / 1_000,
    requestSize: Number.isSafeInteger(length) ? length : undefined,
    responseSize: typeof body === 'string' ? body.length : undefined,
  }
}

/** The record of a connection that ended without a request. What was sent is not recorded. */
export function connectionRecord({ reason, address, ...more }: RefusedConnection): AuditRecord {
  return {
    time: isoOf(Date.now()),
    binding: 'http',
    address,
    outcome: 'refused',
    refusedBy: 'http',
    reason,
    status: 'status' in more ? more.status : undefined,
    duration: 0,
  }
}

const BY_CODE: Readonly<Record<number, string>> = {
  [PARSE_ERROR]: 'malformed',
  [HEADER_MISMATCH]: 'header-mismatch',
  [UNSUPPORTED_VERSION]: 'version',
  [INVALID_PARAMS]: 'meta',
  [METHOD_NOT_FOUND]: 'unknown-method',
  [TOO_LARGE]: 'too-large',
  [SHUTTING_DOWN]: 'draining',
  [UPSTREAM_BUSY]: 'busy',
}

const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'malformed',
  401: 'credential',
  403: 'forbidden',
  404: 'not-found',
  405: 'verb',
  406: 'accept',
  413: 'too-large',
  415: 'media-type',
  500: 'failed',
  503: 'unavailable',
}

function sessionOf(request: HttpRequest): string | undefined {
  const named = request.header(HEADER_SESSION)
  if (named !== undefined || !request.query.includes('sessionId')) return named
  return new URLSearchParams(request.query).get('sessionId') ?? undefined
}

function named(request: HttpRequest, header: string): string | undefined {
  const value = request.header(header)
  return value === undefined ? undefined : (decodeHeaderValue(value) ?? value)
}

function eraOf(version: string | undefined): string | undefined {
  if (isLegacyVersion(version)) return version
  return isModernVersion(version) ? 'modern' : undefined
}

/** Lines of an audit log, written by hand: one is made per call, and encoding it as any object costs several times as much. */

import { createHash } from 'node:crypto'
import type { AuditRecord, RefusalSummary } from '../../middleware/exchange/audit.js'

/** What a log says that is about no call. */
export type AuditNote =
  | RefusalSummary
  | { readonly event: 'torn'; readonly bytes: number; readonly records: number }
  | { readonly event: 'lost'; readonly lost: number }

/** Characters of arguments that one record may have; longer ones are not recorded. */
const MAX_ARGUMENTS = 64 * 1024

/** What follows the number in a line, up to the closing brace. Whatever callers call things, it is printable ASCII. */
export function encodeRecord(record: AuditRecord): string {
  let text = `"time":"${record.time}"${callerText(record)}${targetText(record)},"outcome":"${record.outcome}"`
  const { refusedBy, reason, code, status, verb, path } = record
  if (refusedBy !== undefined) text += `,"refusedBy":${quoted(refusedBy)}`
  if (reason !== undefined) text += `,"reason":${quoted(reason)}`
  if (code !== undefined) text += `,"code":${code}`
  if (status !== undefined) text += `,"status":${status}`
  if (verb !== undefined) text += `,"verb":${quoted(verb)}`
  if (path !== undefined) text += `,"path":${quoted(path)}`
  text += `,"duration":${thousandths(record.duration)}`
  const { requestSize, responseSize, notifications } = record
  if (requestSize !== undefined) text += `,"requestSize":${numeral(requestSize)}`
  if (responseSize !== undefined) text += `,"responseSize":${numeral(responseSize)}`
  if (notifications !== undefined) text += `,"notifications":${notifications}`
  if (record.arguments !== undefined) text += `,"arguments":${encodedArguments(record.arguments)}`
  return text
}

let lastCaller: AuditRecord | undefined
let lastCallerText = ''

/** Who calls is mostly who called before. */
function callerText(record: AuditRecord): string {
  const { binding, principal, address, session } = record
  const last = lastCaller
  if (
    last !== undefined &&
    last.binding === binding &&
    last.principal === principal &&
    last.address === address &&
    last.session === session
  )
    return lastCallerText
  let text = `,"binding":"${binding}"`
  if (principal !== undefined) text += `,"principal":${quoted(principal)}`
  if (address !== undefined) text += `,"address":${quoted(address)}`
  if (session !== undefined) text += `,"session":"${digestOf(session)}"`
  lastCaller = record
  lastCallerText = flat(text)
  return text
}

let lastTarget: AuditRecord | undefined
let lastTargetText = ''

function targetText(record: AuditRecord): string {
  const { server, method, target, serverTarget, era } = record
  const last = lastTarget
  if (
    last !== undefined &&
    last.method === method &&
    last.target === target &&
    last.server === server &&
    last.serverTarget === serverTarget &&
    last.era === era
  )
    return lastTargetText
  let text = server === undefined ? '' : `,"server":${quoted(server)}`
  if (method !== undefined) text += `,"method":${quoted(method)}`
  if (target !== undefined) text += `,"target":${quoted(target)}`
  if (serverTarget !== undefined) text += `,"serverTarget":${quoted(serverTarget)}`
  if (era !== undefined) text += `,"era":${quoted(era)}`
  lastTarget = record
  lastTargetText = flat(text)
  return text
}

/** The same text in one piece, since looking into it puts its pieces together: else that is done again for each line that it is part of. */
function flat(text: string): string {
  text.charCodeAt(text.length - 1)
  return text
}

/** The same for what is no call. */
export function encodeNote(note: { readonly time: string } & AuditNote): string {
  return printable(JSON.stringify(note).slice(1, -1))
}

/** Printable ASCII without quotes and backslashes: nearly all names. */
const PLAIN = /^[ !#-[\]-~]*$/

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : printable(JSON.stringify(text))
}

/**
 * Escapes all that is not ASCII: what terminals would obey, show in another order or not show at all, in names that callers made up, grows with
 * each version of Unicode. JSON itself escapes the rest.
 */
function printable(json: string): string {
  return json.replace(/[^ -~]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A number as JSON, with three decimals at most. */
function thousandths(value: number): string {
  const whole = Math.trunc(value)
  const rest = Math.round((value - whole) * 1_000)
  if (!(rest > 0 && rest < 1_000)) return numeral(Math.round(value))
  return `${whole}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`
}

/** JSON has no others. */
function numeral(value: number): string {
  return Number.isFinite(value) ? `${value}` : 'null'
}

function encodedArguments(value: unknown): string {
  const json = JSON.stringify(value)
  if (json.length <= MAX_ARGUMENTS) return printable(json)
  return `"[too large: ${json.length} characters]"`
}

const MAX_DIGESTS = 10_000
const digests = new Map<string, string>()

/** A session's id lets its holder in: a digest tells sessions apart as well. */
function digestOf(session: string): string {
  let digest = digests.get(session)
  if (digest !== undefined) return digest
  digest = createHash('sha256').update(session).digest('hex').slice(0, 16)
  // All at once: which of them are over is not known here, and making one again is cheap.
  if (digests.size >= MAX_DIGESTS) digests.clear()
  if (session.length <= 64) digests.set(session, digest)
  return digest
}

/** What a client takes and what it sends. Specification: streamable-http, "Sending Messages". */

/** Which kinds of reply a client takes. */
export interface Accept {
  readonly json: boolean
  readonly stream: boolean
}

const BOTH: Accept = { json: true, stream: true }
const JSON_ONLY: Accept = { json: true, stream: false }
const STREAM_ONLY: Accept = { json: false, stream: true }
const NEITHER: Accept = { json: false, stream: false }

/**
 * Reads an `Accept` header: any order, wildcards, parameters ignored but for `q=0`. An absent header accepts
 * everything (RFC 9110, section 12.5.1).
 */
export function acceptOf(header: string | undefined): Accept {
  if (header === undefined || header === USUAL || header === USUAL_REVERSED || header === '*/*') return BOTH
  let json = false
  let stream = false
  for (const range of header.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';')
    if (parameters.some(parameter => /^\s*q=0(\.0*)?\s*$/.test(parameter))) continue
    const name = type.trim()
    if (name === 'application/json' || name === 'application/*' || name === '*/*') json = true
    if (name === 'text/event-stream' || name === 'text/*' || name === '*/*') stream = true
  }
  if (json) return stream ? BOTH : JSON_ONLY
  return stream ? STREAM_ONLY : NEITHER
}

/** A person with a browser: event sources ask for `text/event-stream` by name. */
export function isBrowser(accept: string | undefined): boolean {
  return accept?.includes('text/html') === true && !accept.includes('text/event-stream')
}

const USUAL = 'application/json, text/event-stream'
const USUAL_REVERSED = 'text/event-stream, application/json'

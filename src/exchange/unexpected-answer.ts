/** An HTTP answer that is none of the protocol's, as an error that says what it was and what to do about it. */

import { TransportError, type TransportErrorCode } from './errors.js'
import { nameOfUrl } from './http-address.js'
import type { HttpAnswer, HttpCall } from './http-client.js'
import { masked, secretsOf } from './masked.js'
import { printable } from './printable.js'

export interface AnswerFacts {
  readonly status: number
  readonly contentType?: string | undefined
  /** The `server` header: proxies sign with it. */
  readonly server?: string | undefined
  /** The `retry-after` header. */
  readonly retryAfter?: string | undefined
  /** The start of the body. */
  readonly text: string
}

const START_BYTES = 4_096
/** A refusal that trickles in, or never ends, is described by what came until then. */
const START_WAIT = 2_000

/**
 * Reads the start of the answer's body, gives up the rest, and describes both. What the call sent as secrets is masked where the
 * body repeats it. Never rejects.
 */
export async function unexpectedAnswer(answer: HttpAnswer, call: HttpCall): Promise<TransportError> {
  const text = await startOf(answer)
  return describeAnswer(
    {
      status: answer.status,
      contentType: answer.header('content-type'),
      server: answer.header('server'),
      retryAfter: answer.header('retry-after'),
      text,
    },
    answer.call ?? call,
  )
}

/** The same for a body that has been read already: of a success that held no message, say. */
export function describeAnswer(facts: AnswerFacts, call: HttpCall): TransportError {
  const hop = nameOfUrl(call.url)
  const success = facts.status >= 200 && facts.status < 300
  const secrets = secretsOf(call)
  const { code, hint, knob } = success ? strange(facts, secrets) : refused(facts, hop, secrets)
  const said = quote(facts, secrets)
  const what = success ? hint : `answered ${statusLine(facts)}${hint === '' ? '' : `: ${hint}`}`
  return new TransportError(code, `${hop} ${what}${said === '' ? '' : `. It said: ${said}`}`, {
    hop,
    status: facts.status,
    ...(knob === undefined ? {} : { knob }),
  })
}

interface Verdict {
  readonly code: TransportErrorCode
  readonly hint: string
  readonly knob?: string
}

/** A success without a message. */
function strange(facts: AnswerFacts, secrets: readonly string[]): Verdict {
  const type = mediaType(facts.contentType)
  const code = 'ERR_HANDSHAKE'
  if (isHtml(facts)) {
    const title = printable(masked(titleOf(facts.text), secrets))
    const named = title === '' ? '' : ` titled "${title}"`
    return {
      code,
      hint: `answered with a web page${named}, not with MCP: it wants a sign-in, or it is the wrong address`,
    }
  }
  if (type === 'application/json' || type === 'text/event-stream') {
    return { code, hint: 'is not an MCP server: its answer holds no MCP message' }
  }
  if (type === '') return { code, hint: 'is not an MCP server: its answer has no content type' }
  const shown = printable(masked(facts.contentType?.split(';')[0]?.trim() ?? '', secrets)).toLowerCase()
  return {
    code,
    hint: `is not an MCP server: it answered with ${shown} instead of JSON or an event stream`,
  }
}

function refused(
  { status, retryAfter, server }: AnswerFacts,
  hop: string,
  secrets: readonly string[],
): Verdict {
  const code = 'ERR_STATUS'
  switch (status) {
    case 401:
      return {
        code,
        hint: `it wants a sign-in; run "anyport login ${hop}", or give a token with --header "Authorization: Bearer \${TOKEN}"`,
        knob: '--header',
      }
    case 403:
      return {
        code,
        hint: 'it knows us, but does not let us do this; check what the token may do',
        knob: '--header',
      }
    case 404:
    case 410:
      return { code, hint: 'there is nothing at this address; check its path (often /mcp, or /sse)' }
    case 405:
      return {
        code,
        hint: 'no MCP server of this transport is at this address; check its path, or choose with --transport',
        knob: '--transport',
      }
    case 406:
    case 415:
      return {
        code,
        hint: 'it does not take what this transport sends; choose with --transport',
        knob: '--transport',
      }
    case 407:
      return {
        code,
        hint: 'the proxy wants a user name and password; write them into its address',
        knob: '--proxy',
      }
    case 413:
      return { code, hint: 'the request is larger than it takes' }
    case 421:
      return { code, hint: 'it is not served under this name; ask its operator to allow it' }
    case 429:
      return { code, hint: `too many requests${after(retryAfter)}` }
    case 502:
    case 503:
    case 504:
      return { code, hint: `what is behind ${by(server, secrets)} is down or too slow${after(retryAfter)}` }
    default:
      return { code, hint: status >= 500 ? 'it failed' : '' }
  }
}

function after(retryAfter: string | undefined): string {
  if (retryAfter === undefined || !/^\d{1,6}$/.test(retryAfter.trim())) return ''
  return `; it asks to wait ${retryAfter.trim()} s`
}

function by(server: string | undefined, secrets: readonly string[]): string {
  return server === undefined || server === ''
    ? 'it'
    : `it (${printable(masked(server, secrets).slice(0, 40))})`
}

function statusLine({ status }: AnswerFacts): string {
  const phrase = PHRASES[status]
  return phrase === undefined ? String(status) : `${status} ${phrase}`
}

const PHRASES: Readonly<Record<number, string>> = {
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** The first lines of the body, on one line: a message where it has one, the title of a page, else the text itself. */
function quote(facts: AnswerFacts, secrets: readonly string[]): string {
  if (isHtml(facts)) {
    const success = facts.status >= 200 && facts.status < 300
    const title = titleOf(facts.text)
    return success || title === '' ? '' : shorten(masked(title, secrets))
  }
  const lines = facts.text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '')
  return shorten(masked(messageOf(facts.text) ?? lines.slice(0, MAX_LINES).join(' | '), secrets))
}

const MAX_LINES = 3
const MAX_QUOTE = 300

function shorten(text: string): string {
  // By characters, so that no surrogate is left alone.
  const characters = [...text.slice(0, 2 * MAX_QUOTE)]
  const short = characters.length > MAX_QUOTE || text.length > 2 * MAX_QUOTE
  return printable(short ? `${characters.slice(0, MAX_QUOTE).join('')}...` : text)
}

/** Of a JSON-RPC error (the MCP SDKs), an OAuth error, a problem document, or what most APIs answer. */
function messageOf(text: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { error, error_description, message, detail, title } = value as Record<string, unknown>
  const nested =
    typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error
  const found = [error_description, nested, message, detail, title].find(
    candidate => typeof candidate === 'string' && candidate !== '',
  )
  return found as string | undefined
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

function isHtml({ contentType, text }: AnswerFacts): boolean {
  return mediaType(contentType) === 'text/html' || /^\s*(<!doctype html|<html[\s>])/i.test(text)
}

function titleOf(text: string): string {
  const [, title = ''] = /<title[^>]*>([^<]*)/i.exec(text) ?? []
  return title.replace(/\s+/g, ' ').trim().slice(0, 100)
}

function startOf(answer: HttpAnswer): Promise<string> {
  return new Promise(resolve => {
    const decoder = new TextDecoder()
    let text = ''
    let length = 0
    let done = false
    const finish = (complete: boolean) => {
      if (done) return
      done = true
      clearTimeout(timer)
      if (!complete) answer.cancel()
      resolve(text)
    }
    const timer = setTimeout(() => finish(false), START_WAIT)
    answer.listen({
      data(chunk) {
        if (done) return
        text += decoder.decode(chunk.subarray(0, START_BYTES - length), { stream: true })
        length += chunk.byteLength
        if (length >= START_BYTES) finish(false)
      },
      closed() {
        finish(true)
      },
    })
  })
}

/** Requests to addresses that servers told us: with a limit on time, size and redirects. */

import { within } from '../../exchange/deadline.js'
import { TransportError } from '../../exchange/errors.js'
import { mayVisit } from '../../exchange/reachable-address.js'
import { nameOf, parseAddress } from './addresses.js'
import { signInError, unreachable } from './failures.js'

/** `fetch`, or one with proxies and certificates. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface RequestLimits {
  readonly fetch: Fetch
  /** Milliseconds that one request may take. */
  readonly timeout: number
}

export interface FetchedDocument {
  readonly status: number
  /** The address after redirects. */
  readonly url: URL
  /** Undefined where the body is no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

const MAX_BODY = 1024 * 1024
const MAX_REDIRECTS = 3

/** A JSON document. Rejects with `TransportError` where nothing answers, in time, or with less than `MAX_BODY`. */
export async function fetchDocument(
  start: URL,
  server: URL,
  limits: RequestLimits,
): Promise<FetchedDocument> {
  let url = start
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    if (!mayVisit(url, server)) throw forbidden(url, server)
    const response = await boundedFetch(limits)(url.href, {
      headers: { accept: 'application/json', 'mcp-protocol-version': '2025-11-25' },
    }).catch(asStatus)
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
    const next = location === null ? undefined : parseAddress(resolved(location, url))
    if (next === undefined) return { status: response.status, url, json: jsonObject(await response.text()) }
    url = next
  }
  throw unreachable(start, `more than ${MAX_REDIRECTS} redirects`)
}

/** A `fetch` that never redirects, and whose answer has arrived whole, within the limits, when it resolves. */
export function boundedFetch({ fetch, timeout }: RequestLimits): Fetch {
  return async (address, init) => {
    const url = new URL(address)
    const controller = new AbortController()
    const late = () => {
      controller.abort()
      return unreachable(url, `no answer within ${timeout / 1_000} s`)
    }
    const request = async () => {
      const response = await fetch(address, { ...init, redirect: 'manual', signal: controller.signal })
      const { status, headers } = response
      const body = await boundedText(response, url)
      const kept = new Headers()
      for (const name of ['content-type', 'location', 'www-authenticate']) {
        const value = headers.get(name)
        if (value !== null) kept.set(name, value)
      }
      return new Response(NO_BODY.has(status) ? null : body, { status, headers: kept })
    }
    try {
      return await within(request(), timeout, late)
    } catch (error) {
      if (error instanceof TransportError) throw error
      throw unreachable(url, reasonOf(error), error)
    }
  }
}

export function forbidden(url: URL, server: URL): Error {
  return signInError(
    nameOf(server),
    `${server.origin} names the address ${url.protocol}//${url.host}, which is not followed: it must be https, ` +
      'and on this machine or in its local network only where the server is too',
  )
}

export function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}

/** What answers, but not with something to read (a redirect to a login page of another origin), is no document. */
function asStatus(error: unknown): Response {
  const status =
    error instanceof TransportError && error.code === 'ERR_STATUS' ? error.facts.status : undefined
  if (status === undefined) throw error
  return new Response(null, { status })
}

/** Statuses whose responses the constructor lets have no body. */
const NO_BODY = new Set([204, 205, 304])

async function boundedText(response: Response, url: URL): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > MAX_BODY) {
      await reader.cancel()
      throw unreachable(url, `the answer has more than ${MAX_BODY} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

function resolved(location: string, base: URL): string {
  try {
    return new URL(location, base).href
  } catch {
    return ''
  }
}

/** `fetch` says "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return 'cannot be reached'
  const code = (cause as { readonly code?: unknown }).code
  return cause.message || (typeof code === 'string' ? code : 'cannot be reached')
}

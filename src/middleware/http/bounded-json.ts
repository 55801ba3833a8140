/** JSON from an authorization server: over TLS, from the address that was asked, within a time and a size. */

import type { JSONObject } from '../../protocol/message.js'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface BoundedJsonOptions {
  readonly fetch: Fetch
  /** Milliseconds for all of it. */
  readonly timeout: number
  readonly init?: RequestInit | undefined
}

const MAX_BYTES = 512 * 1024

/** Rejects with an error that says what is wrong, without what was sent. */
export async function boundedJson(
  url: string,
  { fetch, timeout, init }: BoundedJsonOptions,
): Promise<JSONObject> {
  const signal = AbortSignal.timeout(timeout)
  // A redirect could lead anywhere in the network that we are in, and take a secret along.
  const response = await fetch(url, { ...init, redirect: 'error', signal })
  if (response.status !== 200) {
    await response.body?.cancel().catch(() => {})
    throw new Error(`${new URL(url).host} answered with the status ${response.status}`)
  }
  const value: unknown = JSON.parse(await textOf(response, url))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${new URL(url).host} answered with JSON that is no object`)
  return value as JSONObject
}

/** Throws `TypeError` for an address that tokens must not depend on: plain HTTP, but to this machine. */
export function secureUrl(option: string, text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TypeError(`${option}: ${JSON.stringify(text)} is no address`)
  }
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
    throw new TypeError(
      `${option}: ${url.origin} must be https, since whoever can change what it says can sign in as anybody`,
    )
  if (url.username !== '' || url.password !== '')
    throw new TypeError(`${option}: an address must not hold credentials`)
  return url
}

async function textOf(response: Response, url: string): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.byteLength
    if (length > MAX_BYTES) {
      await reader.cancel().catch(() => {})
      throw new Error(`${new URL(url).host} answered with more than ${MAX_BYTES} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

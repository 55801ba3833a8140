/** `fetch` over the HTTP client that carries the calls, so that sign-ins have its proxies and certificates. */

import { Context } from '../../exchange/context.js'
import type { HttpAnswer, HttpClient } from '../../exchange/http-client.js'
import type { Fetch } from './bounded-fetch.js'

/** Knows no more of `fetch` than sign-ins need: small requests and answers, and headers as an object. */
export function fetchOver(client: HttpClient): Fetch {
  return async (url, { method, headers, body, signal }) => {
    const context = new Context({ binding: 'internal' })
    const stop = () => context.cancel('timeout')
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
    const answer = await client.send(
      {
        method: method === 'POST' ? 'POST' : 'GET',
        url,
        headers: headers as Readonly<Record<string, string>>,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
      },
      context,
    )
    return await responseOf(answer)
  }
}

/** A little more than anybody reads: whoever asked says that it is too much. */
const MAX_KEPT = 2 * 1024 * 1024
const NO_BODY = new Set([204, 205, 304])

async function responseOf(answer: HttpAnswer): Promise<Response> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  await new Promise<void>((resolve, reject) => {
    answer.listen({
      data(chunk) {
        if (size > MAX_KEPT) return
        size += chunk.byteLength
        chunks.push(chunk.slice())
        if (size <= MAX_KEPT) return
        answer.cancel()
        resolve()
      },
      closed: error => (error === undefined ? resolve() : reject(error)),
    })
  })
  const headers = new Headers()
  for (const name of ['content-type', 'location', 'www-authenticate']) {
    const value = answer.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  return new Response(NO_BODY.has(answer.status) ? null : new Blob(chunks), {
    status: answer.status,
    headers,
  })
}

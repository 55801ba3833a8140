/** The whole HTTP face in this process, without a network: any request gets a reply, and what gets through is what was sent. */

import { fetchHandler } from '../../src/fetch.js'
import { Asked, headersOf, madeRequest, makeRequest, mustBeRight } from '../made-request.js'
import type { Target } from '../target.js'

const asked = new Asked()
const face = fetchHandler(asked.handler, asked.options)

export const httpFaces: Target = {
  name: 'http-face',
  weight: 1,
  make: makeRequest,
  async check(bytes: Uint8Array) {
    const made = madeRequest(bytes)
    const headers = made && headersOf(made)
    if (made === undefined || headers === undefined) return
    const { body } = made
    asked.last = undefined
    const reply = await face(new Request('http://localhost/mcp', { method: 'POST', headers, body }))
    mustBeRight(asked, body, reply.status, reply.headers.get('content-type'), await reply.text())
  },
}

import { describe, expect, it } from 'vitest'
import { apiKeys } from '../../../../src/middleware/http/api-keys.js'
import { authentication } from '../../../../src/middleware/http/authentication.js'
import { checkMirror, decodeHeaderValue } from '../../../../src/protocol/headers.js'
import { httpRequest } from '../../../fixtures/http-request.js'

/** As far as `node:http` lets headers go. While time grew with the square of the blanks, each took half a second. */
const BLANKS = ' '.repeat(32_000)

async function tookForTwenty(run: () => unknown): Promise<number> {
  const began = performance.now()
  for (let count = 0; count < 20; count++) await run()
  return performance.now() - began
}

describe('blanks without end cost nothing', () => {
  it('in a mirrored header', async () => {
    expect(decodeHeaderValue(`\t a${BLANKS}b `)).toBe(`a${BLANKS}b`)
    const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x' } } as const
    const headers = new Map([
      ['mcp-method', 'tools/call'],
      ['mcp-name', `a${BLANKS}b`],
    ])
    const check = () =>
      expect(() => checkMirror(request, name => headers.get(name))).toThrow('does not match')
    expect(await tookForTwenty(check)).toBeLessThan(2_000)
  })

  it('in a credential', async () => {
    const handler = authentication({ methods: [apiKeys({ keys: [] })] })(async () => ({
      status: 200,
      headers: {},
    }))
    for (const authorization of [`Bearer a${BLANKS}b`, `Bearer ${BLANKS}a`, `Bearer${BLANKS}`]) {
      const ask = async () =>
        expect((await handler(httpRequest({ headers: { authorization } }))).status).toBe(401)
      expect(await tookForTwenty(ask)).toBeLessThan(2_000)
    }
  })
})

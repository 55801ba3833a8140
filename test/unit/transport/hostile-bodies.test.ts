import { describe, expect, it } from 'vitest'
import type { JSONRPCRequest } from '../../../src/protocol/message.js'
import { resultResponse } from '../../../src/protocol/message.js'
import { httpFace } from '../../../src/transport/http-face.js'
import { send } from '../../fixtures/http-request.js'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const HEADERS = {
  host: 'localhost',
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'x',
}

/** What came of a body, and what the handler was asked. */
async function post(body: string) {
  const asked: JSONRPCRequest[] = []
  const face = httpFace(async function* (request) {
    if (request.method === 'tools/call') asked.push(request)
    return resultResponse(request.id, { resultType: 'complete', content: [] })
  })
  const { status, json, text } = await send(face.handler, { headers: HEADERS, body })
  await face.close()
  return { status, json, text, asked }
}

const call = (members: string, args = '{}') =>
  `{"jsonrpc":"2.0",${members},"method":"tools/call","params":{"name":"x","arguments":${args},"_meta":${JSON.stringify(META)}}}`

describe('a request over HTTP', () => {
  it('is passed on where nothing is wrong with it', async () => {
    const { status, json, asked } = await post(call('"id":9007199254740991', '{"n":1e300,"s":"\\ud800"}'))
    expect(status).toBe(200)
    expect(json.id).toBe(9007199254740991)
    expect(asked[0]?.params?.arguments).toEqual({ n: 1e300, s: '\ud800' })
  })

  it.each([
    ['"id":9007199254740993'],
    ['"id":1152921504606846976'],
    ['"id":1e400'],
    ['"id":1.5'],
    ['"id":0.99999999999999999999'],
    ['"id":4503599627370497.5'],
    ['"id":1e-400'],
    ['"id":null'],
    ['"id":{"id":7}'],
    ['"id":1,"id":2'],
    ['"id":2,"\\u0069d":2'],
  ])('with %s is refused, and answered under no id', async members => {
    const { status, json, asked } = await post(call(members))
    expect(status).toBe(400)
    expect(json.error.code).toBe(-32600)
    expect(json).not.toHaveProperty('id')
    expect(asked).toEqual([])
  })

  it.each([
    ['a key of the message twice', call('"id":1,"method":"tools/list"'), -32600],
    ['a key of the arguments twice', call('"id":1', '{"a":{"path":"/ok","path":"/etc/passwd"}}'), -32600],
    ['an integer that would change', call('"id":1', '{"row":1152921504606846977}'), -32600],
    ['a number without end', call('"id":1', '{"n":1e999}'), -32600],
    ['too many levels', call('"id":1', `${'['.repeat(200)}${']'.repeat(200)}`), -31004],
    ['half of it missing', call('"id":1').slice(0, -9), -32700],
    ['more behind it', `${call('"id":1')}{}`, -32700],
    ['a text cut by a line break', call('"id":1', '{"a":"\n"}'), -32700],
    ['nothing', '', -32700],
  ])('with %s is refused', async (_what, body, code) => {
    const { status, json, asked } = await post(body)
    expect(status).toBe(code === -31004 ? 413 : 400)
    expect(json.error.code).toBe(code)
    expect(asked).toEqual([])
  })

  it.each(['\\ud800', '\\udc00a', '__proto__', 'a\\u0000b', '7'])(
    'with the id "%s" is answered under it',
    async id => {
      const { text, asked } = await post(call(`"id":"${id}"`))
      expect(text).toContain(`"id":"${id}"`)
      expect(asked[0]?.id).toBe(JSON.parse(`"${id}"`))
    },
  )

  it('with keys that prototypes have is an ordinary one', async () => {
    const args = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}'
    const { status, asked } = await post(call('"id":1', args))
    expect(status).toBe(200)
    expect(JSON.stringify(asked[0]?.params?.arguments)).toBe(args)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'for the method %s is asked of the server',
    async method => {
      const asked: string[] = []
      const face = httpFace(async function* (request) {
        asked.push(request.method)
        return { jsonrpc: '2.0', id: request.id, error: { code: -32601, message: 'unknown' } }
      })
      const body = { jsonrpc: '2.0', id: 1, method, params: { _meta: META } }
      const { status } = await send(face.handler, { headers: { ...HEADERS, 'mcp-method': method }, body })
      await face.close()
      expect(status).toBe(404)
      expect(asked).toEqual([method])
    },
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INVALID_REQUEST, PARSE_ERROR, RpcError, TOO_LARGE } from '../../../src/protocol/errors.js'
import type { JSONRPCResultResponse } from '../../../src/protocol/message.js'
import {
  idOf,
  nestsDeeper,
  type ParseLimits,
  parseBody,
  parseMessage,
  parseResponseLine,
} from '../../../src/protocol/parse.js'
import { RawJson } from '../../../src/protocol/raw-json.js'

const encoder = new TextEncoder()

const parseBytes = (text: string, limits?: ParseLimits) => parseResponseLine(encoder.encode(text), limits)

function refusal(run: () => unknown): RpcError {
  try {
    run()
  } catch (error) {
    if (error instanceof RpcError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('parseMessage', () => {
  test.each([
    '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","_meta":{"k":1},"future":[]},"vendor":1}',
    '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":0,"progress":1}}',
    '{"jsonrpc":"2.0","id":0,"result":{}}',
    '{"jsonrpc":"2.0","id":-5,"result":{"_meta":{}}}',
    '{"jsonrpc":"2.0","id":9007199254740991,"error":{"code":-32603,"message":"","data":null}}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"}}',
  ])('accepts %s and keeps all of it', json => {
    expect(parseMessage(json)).toEqual(JSON.parse(json))
    expect(parseResponseLine(encoder.encode(json))).toEqual(
      json.includes('"result"') ? { ...JSON.parse(json), result: expect.any(RawJson) } : JSON.parse(json),
    )
  })

  test.each([
    ['', PARSE_ERROR, /Parse error/],
    ['{"jsonrpc":"2.0","id":1,"method":"x"', PARSE_ERROR, /Parse error/],
    ['{"jsonrpc":"2.0","id":1,"result":{}}x', PARSE_ERROR, /Parse error/],
    ['{"jsonrpc":"2.0","id":1,"result":{"a":tru}}', PARSE_ERROR, /Parse error/],
    ['1', INVALID_REQUEST, /must be an object, not 1/],
    ['null', INVALID_REQUEST, /not null/],
    ['[]', INVALID_REQUEST, /an array/],
    ['{}', INVALID_REQUEST, /"jsonrpc" must be "2.0", not missing/],
    ['{"jsonrpc":"1.0","id":1,"method":"x"}', INVALID_REQUEST, /not "1.0"/],
    ['{"jsonrpc":2,"id":1,"method":"x"}', INVALID_REQUEST, /"jsonrpc"/],
    ['{"jsonrpc":"2.0"}', INVALID_REQUEST, /none of "method", "result" and "error"/],
    ['{"jsonrpc":"2.0","id":1}', INVALID_REQUEST, /none of/],
    ['{"jsonrpc":"2.0","id":null,"method":"x"}', INVALID_REQUEST, /"id" .* not null/],
    ['{"jsonrpc":"2.0","id":1.5,"method":"x"}', INVALID_REQUEST, /"id" .* not 1.5/],
    ['{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}', INVALID_REQUEST, /"id"/],
    ['{"jsonrpc":"2.0","id":1e400,"method":"x"}', INVALID_REQUEST, /"id"/],
    ['{"jsonrpc":"2.0","id":{},"method":"x"}', INVALID_REQUEST, /"id" .* not an object/],
    ['{"jsonrpc":"2.0","id":true,"result":{}}', INVALID_REQUEST, /"id" .* not true/],
    ['{"jsonrpc":"2.0","result":{}}', INVALID_REQUEST, /"id" .* not missing/],
    ['{"jsonrpc":"2.0","id":null,"result":{}}', INVALID_REQUEST, /"id" .* not null/],
    ['{"jsonrpc":"2.0","id":1,"method":null}', INVALID_REQUEST, /"method" must be a string, not null/],
    ['{"jsonrpc":"2.0","id":1,"method":["x"]}', INVALID_REQUEST, /"method"/],
    [
      '{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
      INVALID_REQUEST,
      /"params" must be an object, not an array/,
    ],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":null}', INVALID_REQUEST, /"params"/],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":1}}', INVALID_REQUEST, /"params._meta"/],
    ['{"jsonrpc":"2.0","id":1,"method":"x","result":{}}', INVALID_REQUEST, /"method" stands beside/],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', INVALID_REQUEST, /both/],
    ['{"jsonrpc":"2.0","id":1,"result":[]}', INVALID_REQUEST, /"result" must be an object, not an array/],
    ['{"jsonrpc":"2.0","id":1,"result":null}', INVALID_REQUEST, /"result"/],
    ['{"jsonrpc":"2.0","id":1,"result":{"_meta":[]}}', INVALID_REQUEST, /"result._meta"/],
    ['{"jsonrpc":"2.0","id":1,"error":"no"}', INVALID_REQUEST, /"error" must be an object/],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":""}}', INVALID_REQUEST, /"error.code"/],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1}}', INVALID_REQUEST, /"error.message" .* missing/],
    ['{"jsonrpc":"2.0","id":[],"error":{"code":1,"message":""}}', INVALID_REQUEST, /"id"/],
  ])('refuses %s', (json, code, message) => {
    for (const parse of [parseMessage, parseBytes]) {
      const error = refusal(() => parse(json))
      expect(error.code).toBe(code)
      expect(error.message).toMatch(message)
    }
  })

  test('a key named __proto__ pollutes nothing', () => {
    const json = '{"jsonrpc":"2.0","id":1,"result":{"__proto__":{"polluted":1}},"__proto__":{"method":"x"}}'
    for (const message of [parseMessage(json), parseResponseLine(encoder.encode(json))]) {
      expect((message as { method?: unknown }).method).toBeUndefined()
      expect((message as JSONRPCResultResponse).result).not.toHaveProperty('polluted')
    }
    expect(refusal(() => parseMessage('{"__proto__":{"jsonrpc":"2.0","method":"x"}}')).code).toBe(
      INVALID_REQUEST,
    )
  })
})

describe('depth', () => {
  test.each([
    ['[', ']', 1],
    ['{"a":', '}', 1],
    ['[{"[":[{"}":', '}]}]', 4],
  ])('of %s is counted to the level', (open, close, levels) => {
    const json = `{"jsonrpc":"2.0","id":1,"result":{"a":${open.repeat(50)}1${close.repeat(50)}}}`
    const maxDepth = 2 + 50 * levels
    for (const parse of [parseMessage, parseBytes]) {
      expect(parse(json, { maxDepth })).toMatchObject({ id: 1 })
      expect(refusal(() => parse(json, { maxDepth: maxDepth - 1 })).code).toBe(TOO_LARGE)
    }
  })

  test('brackets inside strings do not count', () => {
    const json = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { a: '[{"\\'.repeat(1000) } })
    expect(parseMessage(json)).toEqual(JSON.parse(json))
    expect((parseResponseLine(encoder.encode(json)) as JSONRPCResultResponse).result).toBeInstanceOf(RawJson)
  })

  test('equals a recursive count for any value', () => {
    const count = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(count)) : 0
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.integer({ min: 1, max: 6 }), (value, maxDepth) => {
        expect(nestsDeeper(JSON.stringify(value), maxDepth)).toBe(count(value) > maxDepth)
      }),
    )
  })

  test('a million brackets are refused at once', () => {
    const json = '['.repeat(1_000_000)
    expect(refusal(() => parseMessage(json)).code).toBe(TOO_LARGE)
    expect(refusal(() => parseBody(json)).code).toBe(TOO_LARGE)
    expect(refusal(() => parseResponseLine(encoder.encode(`{"result":{"a":${json}`))).code).toBe(TOO_LARGE)
  })
})

describe('parseBody', () => {
  test('reads a message or a batch', () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'ping' }
    expect(parseBody(JSON.stringify(call))).toEqual(call)
    expect(parseBody(JSON.stringify([call, call]))).toEqual([call, call])
  })

  test.each([
    ['[]', /empty batch/],
    ['[{"jsonrpc":"2.0","id":1,"method":"x"},1]', /not 1/],
    ['[[]]', /an array/],
  ])('refuses %s', (json, message) => {
    const error = refusal(() => parseBody(json))
    expect(error.code).toBe(INVALID_REQUEST)
    expect(error.message).toMatch(message)
  })
})

describe('parseResponseLine', () => {
  test('says of any JSON what parseMessage says', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 4 }),
        fc.json(),
        fc.constantFrom('"result":', '"error":', '"method":"x","params":', '"result" : 1,"result":'),
        fc.constantFrom('', ' ', '\t\r'),
        fc.nat(6),
        (json, other, key, space, damage) => {
          let line = `${space}{${space}"jsonrpc"${space}:"2.0",${key}${json},"x":${other}${space},"id":7}${space}`
          if (damage === 1) line = line.slice(0, -1 - (json.length % 5))
          if (damage === 2) line = line.replace(/[:,]/, ' ')
          const outcome = (parse: () => unknown) => {
            try {
              return JSON.parse(JSON.stringify(parse()))
            } catch (error) {
              return (error as RpcError).code
            }
          }
          expect(outcome(() => parseResponseLine(encoder.encode(line)))).toEqual(
            outcome(() => parseMessage(line)),
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  test('accepts exactly the strings that JSON accepts, wherever they lie in memory', () => {
    const units = fc.oneof(
      {
        arbitrary: fc.constantFrom(
          '\\n',
          '\\"',
          '\\\\',
          '\\u00e9',
          '\\ud800',
          'é',
          '世',
          '😀',
          'xxxxxxx',
          '/',
        ),
        weight: 20,
      },
      {
        arbitrary: fc.constantFrom('\\x', '\\u12g4', '\u0000', '\u001f', '"', '\\', '\t', '\u007f'),
        weight: 1,
      },
    )
    fc.assert(
      fc.property(fc.array(units, { maxLength: 30 }), fc.nat(7), (parts, offset) => {
        const line = `{"jsonrpc":"2.0","id":1,"result":{"text":"${parts.join('')}"}}`
        const encoded = encoder.encode(line)
        const memory = new Uint8Array(encoded.length + 16)
        memory.set(encoded, offset)
        const bytes = memory.subarray(offset, offset + encoded.length)
        let expected: unknown
        try {
          expected = JSON.parse(line)
        } catch {
          expect(refusal(() => parseResponseLine(bytes)).code).toBe(PARSE_ERROR)
          return
        }
        expect(JSON.parse(JSON.stringify(parseResponseLine(bytes)))).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })

  test('keeps numbers that JavaScript cannot hold', () => {
    const bytes = encoder.encode(
      '{"jsonrpc":"2.0","id":1,"result":{"big":12345678901234567890,"n":-0.10E+3}}',
    )
    const { result } = parseResponseLine(bytes) as JSONRPCResultResponse
    const segments = (result as RawJson).with('resultType', 'complete').segments()
    expect(segments.map(part => new TextDecoder().decode(part)).join('')).toBe(
      '{"big":12345678901234567890,"n":-0.10E+3,"resultType":"complete"}',
    )
  })

  test.each([
    '01',
    '1.',
    '.5',
    '-',
    '+1',
    '1e',
    '1e+',
    '0x1',
    'NaN',
    'nul',
    "'a'",
    '[1,]',
    '[,]',
    '{"a":1,}',
    '{a:1}',
    '{"a"}',
    '[1}',
  ])('refuses %s inside a result as JSON does', json => {
    const line = `{"jsonrpc":"2.0","id":1,"result":{"a":${json}}}`
    expect(refusal(() => parseMessage(line)).code).toBe(PARSE_ERROR)
    expect(refusal(() => parseResponseLine(encoder.encode(line))).code).toBe(PARSE_ERROR)
  })

  test('invalid UTF-8 in a message that must be decoded is a parse error', () => {
    const bytes = encoder.encode('{"jsonrpc":"2.0","id":1,"method":"x"}')
    bytes[bytes.length - 3] = 0xff
    expect(refusal(() => parseResponseLine(bytes)).code).toBe(PARSE_ERROR)
  })
})

describe('idOf', () => {
  test.each([
    ['{"jsonrpc":"2.0","id":5,"method":1}', 5],
    ['{"method":[],"params":{"id":9},"id":"a\\"b"}', 'a"b'],
    ['{"id":5,"broken', 5],
    ['{"broken:1,"id":5,"jsonrpc":"2.0"}', 5],
    ['{"id":1.5}', undefined],
    ['{"id":null}', undefined],
    ['{"params":{"id":5}}', undefined],
    ['{"a":"x,\\"id\\":5}', undefined],
    ['[{"id":5}]', undefined],
    ['{"id":5,"id":null}', undefined],
    ['{"id":5,"method":1,"\\u0069d":6}', undefined],
    ['{"id":0.99999999999999999999,"method":"x"}', undefined],
    ['{"id":1e-400,"method":"x"}', undefined],
    ['not json', undefined],
    ['', undefined],
  ])('of %s is %j', (text, id) => {
    expect(idOf(text)).toBe(id)
  })
})

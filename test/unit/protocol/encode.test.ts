import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Encoded,
  encodedLength,
  encodeLine,
  encodeMessage,
  withoutNewlines,
} from '../../../src/protocol/encode.js'
import type { JSONRPCMessage } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'

const encoder = new TextEncoder()

function text(encoded: Encoded): string {
  return (typeof encoded === 'string' ? [encoded] : encoded)
    .map(piece => (typeof piece === 'string' ? piece : new TextDecoder().decode(piece)))
    .join('')
}

const points = fc.oneof(fc.nat(0x7f), fc.nat(0x7ff), fc.nat(0xffff), fc.nat(0x10ffff))
const anyText = fc.array(points, { maxLength: 12 }).map(codes => String.fromCodePoint(...codes))

describe('encodeMessage and encodeLine', () => {
  test('an ordinary message is one string', () => {
    const message: JSONRPCMessage = { jsonrpc: '2.0', method: 'a\nb', params: { x: '\u2028\ud800' } }
    expect(encodeMessage(message)).toBe(JSON.stringify(message))
    expect(encodeLine(message)).toBe(`${JSON.stringify(message)}\n`)
  })

  test('a raw result goes out as its own bytes, beside unknown fields', () => {
    const bytes = encoder.encode('{"big":12345678901234567890}')
    const message = {
      jsonrpc: '2.0',
      vendor: [1],
      id: 'é',
      result: RawJson.fromBytes(bytes),
      more: 1,
    } as JSONRPCMessage
    const encoded = encodeMessage(message) as readonly unknown[]
    expect(encoded).toContain(bytes)
    expect(text(encodeMessage(message))).toBe(
      '{"jsonrpc":"2.0","vendor":[1],"id":"é","more":1,"result":{"big":12345678901234567890}}',
    )
    expect(encodeLine(message)).toContain(bytes)
  })

  test('a line holds one newline, at its end, and the same JSON', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.constantFrom('', '\n', ' \n\r', '\r\n\t'),
        (result, space) => {
          const json = JSON.stringify(result, undefined, 2).replaceAll('\n', space)
          const message: JSONRPCMessage = {
            jsonrpc: '2.0',
            id: 1,
            result: RawJson.fromBytes(encoder.encode(json)),
          }
          const line = text(encodeLine(message))
          expect(line).toMatch(/^[^\n\r]*\n$/)
          expect(JSON.parse(line)).toEqual(JSON.parse(text(encodeMessage(message))))
          expect((JSON.parse(line) as { result: unknown }).result).toEqual(JSON.parse(json))
        },
      ),
    )
  })
})

describe('encodedLength', () => {
  test('counts the bytes that will be written', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anyText, fc.uint8Array()), { maxLength: 5 }), pieces => {
        const bytes = pieces.map(piece => (typeof piece === 'string' ? encoder.encode(piece) : piece).length)
        expect(encodedLength(pieces)).toBe(bytes.reduce((sum, length) => sum + length, 0))
      }),
    )
    expect(encodedLength('a\ud800é世😀\udc00')).toBe(encoder.encode('a\ud800é世😀\udc00').length)
  })
})

describe('withoutNewlines', () => {
  test('finds a newline wherever it lies in memory, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(0x09, 0x0b, 0x0c, 0x0e, 0x20, 0x8a, 0x8d, 0xff), fc.nat(255)), {
          maxLength: 40,
        }),
        fc.nat(3),
        (values, offset) => {
          const bytes = new Uint8Array([...Array(offset).fill(0x0a), ...values, 0x0a]).subarray(
            offset,
            offset + values.length,
          )
          const expected = values.map(value => (value === 0x0a || value === 0x0d ? 0x20 : value))
          const cleaned = withoutNewlines(bytes)
          expect([...cleaned]).toEqual(expected)
          expect(cleaned === bytes).toBe(!values.includes(0x0a) && !values.includes(0x0d))
          expect([...bytes]).toEqual(values)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  RawJson,
  readResult,
  resultKey,
  withoutResultKeys,
  withResultKey,
} from '../../../src/protocol/raw-json.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function raw(json: string): RawJson {
  return RawJson.fromBytes(encoder.encode(json))
}

function text(value: RawJson): string {
  return value
    .segments()
    .map(segment => decoder.decode(segment))
    .join('')
}

const keys = fc.oneof(
  fc.constantFrom('a', 'b', '_meta', 'resultType', '__proto__', 'constructor', 'é"\\'),
  fc.string(),
)
const edits = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key: keys, value: fc.jsonValue() }),
    fc.record({ kind: fc.constant('cut' as const), key: keys, value: fc.constant(null) }),
  ),
)
/** Objects as `JSON.parse` makes them: `__proto__` is a key like any other. */
const objects = fc
  .tuple(fc.array(fc.tuple(keys, fc.jsonValue())), fc.constantFrom(undefined, 1, '\t'))
  .map(([entries, indent]) => JSON.stringify(fromEntries(entries), undefined, indent))

function fromEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (const [key, value] of entries)
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  return object
}

describe('RawJson', () => {
  test('edits equal the edits of a plain object', () => {
    fc.assert(
      fc.property(objects, edits, (json, steps) => {
        let bytes: RawJson = raw(json)
        let plain = JSON.parse(json) as Record<string, unknown>
        for (const step of steps) {
          if (step.kind === 'set') {
            bytes = withResultKey(bytes, step.key, step.value) as RawJson
            plain = withResultKey(plain, step.key, step.value) as Record<string, unknown>
          } else {
            bytes = withoutResultKeys(bytes, step.key) as RawJson
            plain = withoutResultKeys(plain, step.key) as Record<string, unknown>
          }
        }
        const expected = JSON.parse(JSON.stringify(plain))
        expect(JSON.parse(text(bytes))).toEqual(expected)
        expect(readResult(bytes)).toEqual(expected)
        expect(bytes.byteLength).toBe(encoder.encode(text(bytes)).length)
        for (const step of steps) {
          expect(bytes.has(step.key)).toBe(Object.hasOwn(plain, step.key))
          expect(bytes.get(step.key)).toEqual(resultKey(expected, step.key))
        }
      }),
    )
  })

  test('keeps the order of keys and the bytes of what is not edited', () => {
    const value = raw('{ "a": 1.50 , "b":[ 12345678901234567890, 1e400 ],"c":"\\u00e9" }')
    expect(text(value.with('b', true))).toBe('{"a": 1.50,"b":true,"c":"\\u00e9"}')
    expect(text(value.without('c').with('d', null))).toBe(
      '{"a": 1.50 , "b":[ 12345678901234567890, 1e400 ],"d":null}',
    )
    expect(text(value.without('a', 'b', 'c'))).toBe('{}')
    expect(text(raw(' { } ').with('x', 1))).toBe('{"x":1}')
  })

  test('does not copy what it does not edit', () => {
    const bytes = encoder.encode(`{"content":"${'x'.repeat(1000)}","resultType":"complete"}`)
    const whole = RawJson.fromBytes(bytes)
    expect(whole.segments()).toEqual([bytes])
    const shared = whole
      .with('resultType', 'input_required')
      .segments()
      .filter(part => part.buffer === bytes.buffer)
    expect(shared.map(part => part.byteLength)).toEqual([1000 + '"content":""'.length])
  })

  test('of duplicate keys the last counts, and an edit leaves one', () => {
    const value = raw('{"a":1,"b":2,"\\u0061":3}')
    expect(value.get('a')).toBe(3)
    expect(value.parse()).toEqual({ a: 3, b: 2 })
    expect(text(value.with('a', 4))).toBe('{"a":4,"b":2}')
    expect(text(value.without('a'))).toBe('{"b":2}')
  })

  test('a key named __proto__ is a key', () => {
    const value = raw('{"__proto__":{"polluted":true}}').with('x', 1)
    expect(value.get('__proto__')).toEqual({ polluted: true })
    expect((value.parse() as { polluted?: unknown }).polluted).toBeUndefined()
    const plain = withResultKey({ x: 1 }, '__proto__', { polluted: true }) as { polluted?: unknown }
    expect(plain.polluted).toBeUndefined()
    expect(resultKey({ x: 1 }, 'toString')).toBeUndefined()
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('what changes nothing returns the same object', () => {
    const value = raw('{"a":1}')
    const plain = { a: 1 }
    expect(withoutResultKeys(value, 'b', 'c')).toBe(value)
    expect(withoutResultKeys(plain, 'b', 'c')).toBe(plain)
    expect(value.parse()).toBe(value.parse())
    expect(JSON.stringify({ result: value })).toBe('{"result":{"a":1}}')
  })
})

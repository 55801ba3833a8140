import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ambiguityOf } from '../../../src/protocol/ambiguity.js'

const of = (text: string) => ambiguityOf(text, JSON.parse(text))

describe('a key that is there twice', () => {
  it.each([
    ['{"id":1,"id":2}', '"id"'],
    ['{"id":1,"id":1}', '"id"'],
    ['{"id":1,"\\u0069d":2}', '"id"'],
    ['{"__proto__":1,"__proto__":2}', '"__proto__"'],
    ['{"a":[{"b":{"c":1,"d":2,"c":3}}]}', '"c"'],
    ['[{"a":1},{"a":1,"b":"}","a":1}]', '"a"'],
    ['{"a" :1,\n"a"\t:2}', '"a"'],
  ])('is found in %s', (text, key) => {
    expect(of(text)).toBe(`the key ${key} is there twice`)
  })

  it.each([
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
    '{"a":"\\",\\"a\\":1","b":"a\\\\"}',
    '{"constructor":1,"toString":2,"":3,"length":4}',
    '["a","a","a:","::"]',
  ])('is none in %s', text => {
    expect(of(text)).toBeUndefined()
  })

  it('is none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), value => {
        expect(of(JSON.stringify(value))).toBeUndefined()
      }),
    )
  })
})

describe('a number', () => {
  it.each([
    '1e400',
    '-1e400',
    '[1e-400]',
    '9007199254740993',
    '{"a":[-9007199254740993]}',
    '12345678901234567890',
    '1152921504606846977',
    // Equal to 2 ** 60, but it would leave as 1152921504606847000.
    '1152921504606846976',
    '0.99999999999999999999',
    '4503599627370497.5',
    `1${'0'.repeat(400)}`,
  ])('that would leave as another one is found: %s', text => {
    expect(of(text)).toMatch(/^the number -?\d.* would not arrive as it is/)
  })

  it.each([
    '0',
    '-0',
    '0.0',
    '0e5',
    '[1,2,3]',
    '9007199254740991',
    '-9007199254740991',
    '1e21',
    '1E+21',
    '1.5e3',
    '0.1',
    '3.141592653589793238462643',
    '100000000000000000000',
    '1.7976931348623157e308',
    '5e-324',
    '1.0000000000000000000',
    '{"1e400":"9007199254740993"}',
    '[true,false,null,1e2]',
  ])('as people and programs write it is none: %s', text => {
    expect(of(text)).toBeUndefined()
  })
})

it('takes time in proportion to the text', () => {
  const texts = [
    `[${'1e1,'.repeat(200_000)}1]`,
    `{"a":"${'\\\\'.repeat(400_000)}"}`,
    `[${'{},'.repeat(200_000)}1]`,
  ]
  const began = performance.now()
  for (const text of texts) of(text)
  expect(performance.now() - began).toBeLessThan(5_000)
})

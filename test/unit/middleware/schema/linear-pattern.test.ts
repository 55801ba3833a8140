import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fuel } from '../../../../src/middleware/exchange/schema/fuel.js'
import { linearPattern } from '../../../../src/middleware/exchange/schema/linear-pattern.js'

const found = (pattern: string, text: string) => linearPattern(pattern)?.(text, new Fuel(5_000_000))

/** Patterns whose matching by the engine is quick for short texts. */
const patterns = fc.letrec<{ node: string }>(tie => ({
  node: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.constantFrom(
      'a',
      'b',
      '.',
      '\\d',
      '\\w',
      '\\s',
      '[ab]',
      '[^a]',
      '[a-c1]',
      '\\.',
      '-',
      '😀',
      '\\u0061',
    ),
    fc.constantFrom('^', '$', '\\b'),
    fc.tuple(tie('node'), tie('node')).map(([one, other]) => `${one}${other}`),
    fc.tuple(tie('node'), tie('node')).map(([one, other]) => `(?:${one}|${other})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,}', '*?', '{2,}?'))
      .map(([node, times]) => `(${node})${times}`),
  ),
})).node

it('finds what the engine finds', () => {
  fc.assert(
    fc.property(
      patterns,
      fc.array(fc.constantFrom('a', 'b', 'c', '1', ' ', '.', '-', '😀', '\n'), { maxLength: 8 }),
      (pattern, characters) => {
        const text = characters.join('')
        expect(found(pattern, text), JSON.stringify([pattern, text])).toBe(
          new RegExp(pattern, 'u').test(text),
        )
      },
    ),
    { numRuns: 2_000 },
  )
})

it.each([
  ['^[a-z0-9]+(?:-[a-z0-9]+)*$', 'some-name-1', 'some--name'],
  ['^\\d{4}-\\d{2}-\\d{2}$', '2026-07-28', '2026-7-28'],
  ['^(?<user>[^@\\s]+)@([a-z0-9]+\\.)+[a-z]{2,}$', 'a@b.example', 'a@b'],
  ['^[\\p{L}\\p{N}_]+$', 'größe_1', 'a b'],
  ['^[\\w\\-\\.]+$', 'a-b.c', 'a/b'],
  ['^https?:\\/\\/', 'https://a.example', 'ftp://a.example'],
  ['^[^\\]\\[]+$', 'abc', 'a]c'],
  ['', 'anything', undefined],
  ['a\\Bb', 'ab', 'a b'],
])('%s', (pattern, good, bad) => {
  expect(found(pattern, good)).toBe(true)
  if (bad !== undefined) expect(found(pattern, bad)).toBe(false)
})

it.each([
  '^(?=a)',
  '(?!a)b',
  '(?<=a)b',
  '(a)\\1',
  '(?<x>a)\\k<x>',
  '(',
  '[',
  'a{1000}{1000}',
  'a'.repeat(3_000),
])('does not follow %.20s', pattern => {
  expect(linearPattern(pattern)).toBeUndefined()
})

it.each([
  '^(a+)+$',
  '^(a|a)*$',
  '^(a|aa)+$',
  '^(.*)*$',
  '(a*)*b',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  'a*a*a*a*a*a*b',
])('takes as long as the text, and not longer: %s', pattern => {
  const text = `${'a'.repeat(20_000)}!`
  const began = performance.now()
  expect(() => linearPattern(pattern)?.(text, new Fuel(5_000_000))).not.toThrow()
  expect(performance.now() - began).toBeLessThan(5_000)
})

it('stops where it would take too long', () => {
  expect(() => linearPattern('(a|b|c|d){1,100}x')?.('abcd'.repeat(100_000), new Fuel(100_000))).toThrow(
    'takes too long',
  )
})

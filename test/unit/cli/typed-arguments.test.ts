import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parametersOf, promptSignature, toolSignature, typeText } from '../../../src/cli/signature.js'
import { isAssignment, typedArguments } from '../../../src/cli/typed-arguments.js'

const SCHEMA = {
  type: 'object',
  $defs: {
    place: { type: 'object', properties: { lat: { type: 'number' }, name: { type: 'string' } } },
    loop: { $ref: '#/$defs/loop' },
  },
  properties: {
    query: { type: 'string' },
    limit: { type: 'integer' },
    ratio: { type: 'number' },
    exact: { type: 'boolean' },
    tags: { type: 'array', items: { type: 'string' } },
    sizes: { type: 'array', items: { type: 'integer' } },
    order: { enum: ['up', 'down', 7] },
    near: { $ref: '#/$defs/place' },
    places: { type: 'array', items: { $ref: '#/$defs/place' } },
    maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    id: { type: ['string', 'number'] },
    one: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
    any: {},
    'a.b': { type: 'number' },
    loop: { $ref: '#/$defs/loop' },
  },
}

const read = (...words: string[]) => typedArguments(words, SCHEMA)

describe('words as arguments', () => {
  it.each<[string[], object]>([
    [['query=5'], { query: '5' }],
    [['query='], { query: '' }],
    [['query=a=b'], { query: 'a=b' }],
    [['limit=5'], { limit: 5 }],
    [['limit=1e3'], { limit: 1000 }],
    [['ratio=.5'], { ratio: 0.5 }],
    [['ratio=-2.5e-1'], { ratio: -0.25 }],
    [['exact=false'], { exact: false }],
    [['tags=a'], { tags: ['a'] }],
    [['tags=a', 'tags=b,c'], { tags: ['a', 'b,c'] }],
    [['tags:=[]'], { tags: [] }],
    [['sizes=1', 'sizes=2'], { sizes: [1, 2] }],
    [['sizes=[1, 2]'], { sizes: [1, 2] }],
    [['order=up'], { order: 'up' }],
    [['order=7'], { order: 7 }],
    [['near.lat=1.5', 'near.name=x'], { near: { lat: 1.5, name: 'x' } }],
    [['near={"lat":1}'], { near: { lat: 1 } }],
    [
      ['places.0.lat=1', 'places.0.name=2', 'places.1.lat=3'],
      { places: [{ lat: 1, name: '2' }, { lat: 3 }] },
    ],
    [['places:={"lat":1}', 'places:={"lat":2}'], { places: [{ lat: 1 }, { lat: 2 }] }],
    [['maybe=5'], { maybe: 5 }],
    [['maybe=null'], { maybe: null }],
    // Text is text wherever it is allowed.
    [['note=null'], { note: 'null' }],
    [['note:=null'], { note: null }],
    [['id=5'], { id: '5' }],
    [['id:=5'], { id: 5 }],
    [['one=a'], { one: 'a' }],
    [['one=a', 'one=b'], { one: ['a', 'b'] }],
    [['any=5'], { any: '5' }],
    [['any:={"deep":[1]}'], { any: { deep: [1] } }],
    [['a.b=1'], { 'a.b': 1 }],
    [['a\\.b=1'], { 'a.b': 1 }],
    [['loop=1'], { loop: '1' }],
  ])('%j', (words, expected) => {
    expect(read(...words)).toEqual(expected)
  })

  it.each<[string[], string]>([
    [['limt=5'], 'There is no parameter limt; did you mean limit?'],
    [['near.lta=5'], 'There is no parameter near.lta; did you mean near.lat?'],
    [['limit=five'], 'limit: "five" is not a whole number'],
    [['limit=1.5'], 'limit: "1.5" is not a whole number'],
    [['limit=9007199254740993'], 'limit: "9007199254740993" is not a whole number'],
    [['exact=yes'], 'exact: "yes" is not true or false'],
    [['order=dwn'], 'order: "dwn" is none of up, down, 7; did you mean down?'],
    [['limit=1', 'limit=2'], 'limit is given twice'],
    [['near:={}', 'near.lat=1'], 'near is given as a whole and in parts'],
    [['query.x=1'], 'query is no object, so that it has no "x"'],
    [['places.2.lat=1'], 'places is a list: its next item is places.0'],
    [['places.lat=1'], 'places is a list: its next item is places.0'],
    [['any:={'], 'any: "{" is no JSON'],
    [['query'], '"query" is no argument: write KEY=VALUE, or KEY:=JSON'],
    [['=1'], '"=1" is no argument: write KEY=VALUE, or KEY:=JSON'],
  ])('refuses %j', (words, message) => {
    expect(() => read(...words)).toThrow(new TypeError(message))
  })

  it('takes anything as text where nothing is checked', () => {
    const words = ['limt=5', 'limit=five', 'exact=yes', 'near.x.y=1']
    expect(typedArguments(words, SCHEMA, { lenient: true })).toEqual({
      limt: '5',
      limit: 'five',
      exact: 'yes',
      near: { x: { y: '1' } },
    })
    expect(typedArguments(['a=1', 'b.c=2'], undefined)).toEqual({ a: '1', b: { c: '2' } })
  })

  it('adds to what is there, and replaces what it names, without changing it', () => {
    const base = { near: { lat: 1, name: 'x' }, tags: ['a'], query: 'q' }
    const before = structuredClone(base)
    expect(typedArguments(['near.lat=2', 'tags=b', 'tags=c'], SCHEMA, { base })).toEqual({
      near: { lat: 2, name: 'x' },
      tags: ['b', 'c'],
      query: 'q',
    })
    expect(base).toEqual(before)
  })

  it('makes members of its own, whatever they are called', () => {
    const made = typedArguments(['__proto__.polluted=1', 'constructor.prototype.polluted=1'], {})
    expect(JSON.stringify(made)).toBe(
      '{"__proto__":{"polluted":"1"},"constructor":{"prototype":{"polluted":"1"}}}',
    )
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })

  it('tells assignments from other words', () => {
    expect(['a=1', 'a:=1', 'a.b='].every(isAssignment)).toBe(true)
    expect(['echo', '=1', 'a\\=1', ''].some(isAssignment)).toBe(false)
  })
})

describe('a value, written as words and read again', () => {
  const key = fc.oneof(
    fc.constantFrom('a', 'a.b', 'b=', ':', 'x:', '\\', '0', '__proto__', 'toString'),
    fc.string({ minLength: 1, maxLength: 6 }),
  )
  /** A schema, and what fits it. */
  type Typed = { readonly schema: object; readonly value: unknown }
  const leaf: fc.Arbitrary<Typed> = fc.oneof(
    fc.string().map(value => ({ schema: { type: 'string' }, value })),
    fc.integer().map(value => ({ schema: { type: 'integer' }, value })),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter(value => !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value)))
      .map(value => ({ schema: { type: 'number' }, value })),
    fc.boolean().map(value => ({ schema: { type: 'boolean' }, value })),
    fc.array(fc.string()).map(value => ({ schema: { type: 'array', items: { type: 'string' } }, value })),
    fc.array(fc.integer()).map(value => ({ schema: { type: 'array', items: { type: 'integer' } }, value })),
    fc
      .option(fc.integer())
      .map(value => ({ schema: { anyOf: [{ type: 'integer' }, { type: 'null' }] }, value })),
    fc
      .jsonValue()
      .filter(value => !JSON.stringify(value).includes('-0'))
      .map(value => ({ schema: {}, value })),
  )
  const { whole } = fc.letrec<{ whole: Typed; typed: Typed }>(tie => ({
    typed: fc.oneof({ maxDepth: 3 }, leaf, tie('whole')),
    whole: fc
      .uniqueArray(fc.tuple(key, tie('typed')), { selector: ([name]) => name, maxLength: 4 })
      .map(members => ({
        schema: { type: 'object', properties: objectOf(members.map(([name, { schema }]) => [name, schema])) },
        value: objectOf(members.map(([name, { value }]) => [name, value])),
      })),
  }))

  it('is the same', () => {
    fc.assert(
      fc.property(whole, ({ schema, value }) => {
        const words = wordsOf(value as Readonly<Record<string, unknown>>, schema, '')
        expect(typedArguments(words, schema)).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })
})

function objectOf(members: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made = {}
  for (const [name, value] of members)
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true })
  return made
}

/** As a person would write it who knows the rules. */
function wordsOf(
  value: Readonly<Record<string, unknown>>,
  schema: object,
  prefix: string,
): readonly string[] {
  const { properties } = schema as { readonly properties: Readonly<Record<string, object>> }
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = `${prefix}${name.replace(/[\\.=:]/g, '\\$&')}`
    const own = Object.getOwnPropertyDescriptor(properties, name)?.value as Readonly<Record<string, unknown>>
    if (own.type === 'object' && Object.keys(inner as object).length > 0)
      return wordsOf(inner as Readonly<Record<string, unknown>>, own, `${path}.`)
    if (own.type === 'array' && (inner as unknown[]).length > 0)
      return (inner as unknown[]).map(item => `${path}=${String(item)}`)
    if (own.type === 'object' || own.type === 'array' || own.type === undefined) {
      if (own.anyOf !== undefined) return [`${path}=${String(inner)}`]
      return [`${path}:=${JSON.stringify(inner)}`]
    }
    return [`${path}=${String(inner)}`]
  })
}

describe('signatures', () => {
  it('write what a tool takes on one line', () => {
    expect(toolSignature('find', { ...SCHEMA, required: ['query', 'near'] })).toBe(
      'find(query: string, limit?: integer, ratio?: number, exact?: boolean, tags?: string[], sizes?: integer[], ' +
        'order?: "up" | "down" | 7, near: { lat?: number, name?: string }, ' +
        'places?: { lat?: number, name?: string }[], maybe?: integer | null, note?: string | null, ' +
        'id?: string | number, one?: string | string[], any?: any, a.b?: number, loop?: any)',
    )
    expect(toolSignature('none', {})).toBe('none()')
    expect(toolSignature('open', { additionalProperties: true })).toBe('open(...)')
    expect(promptSignature('greet', [{ name: 'who', required: true }, { name: 'how' }])).toBe(
      'greet(who, how?)',
    )
  })

  it('end for schemas that go round in circles, and show no control characters', () => {
    const tree = {
      type: 'object',
      properties: { next: { $ref: '#' }, all: { type: 'array', items: { $ref: '#' } } },
    }
    expect(typeText(tree, tree).length).toBeLessThan(500)
    const twice = { anyOf: [{ $ref: '#' }, { $ref: '#' }] }
    expect(typeText(twice, twice)).toBe('any')
    expect(parametersOf({ properties: { 'a\u001b[2J': { default: '\u001b' } } })).toEqual([
      'a\\u001b[2J?: any = "\\u001b"',
    ])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { removeServer, setServer } from '../../../src/config/edit-config.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { nodeAt, type PlainObject, type Syntax, SyntaxProblem, toPlain } from '../../../src/config/source.js'
import { tomlSyntax } from '../../../src/config/toml-syntax.js'
import { yamlSyntax } from '../../../src/config/yaml-syntax.js'
import { jsonTexts, tomlTexts, type WrittenText, yamlTexts } from '../../fixtures/config/texts.js'

const RUNS = Number(process.env.CONFIG_RUNS ?? 600) / 3
const VALUE: PlainObject = { command: 'new', args: ['-x', 'y "z"'], env: { A: 'b\\c' } }

const SYNTAXES: readonly (readonly [string, Syntax, fc.Arbitrary<WrittenText>])[] = [
  ['JSON', jsoncSyntax, jsonTexts],
  ['TOML', tomlSyntax, tomlTexts],
  ['YAML', yamlSyntax, yamlTexts],
]

describe.each(SYNTAXES)('%s, in every style', (_name, syntax, texts) => {
  const check = (property: (written: WrittenText) => void) =>
    fc.assert(fc.property(texts, property), { numRuns: Math.ceil(RUNS) })

  it('is read as it was meant', () => {
    check(({ text, place, names }) => {
      expect(namesIn(text, syntax, place)).toEqual([...names].sort())
    })
  }, 600_000)

  it('an entry that is added takes nothing away', () => {
    check(({ text, place }) => {
      const after = setServer(text, syntax, place, 'added', VALUE)
      expect(entryIn(after, syntax, place, 'added')).toMatchObject(VALUE)
      expect(isWithin(text, after)).toBe(true)
      expect(lineBreaks(after)).toEqual(text.includes('\n') ? lineBreaks(text) : lineBreaks(after))
      expect(after.startsWith('\uFEFF')).toBe(text.startsWith('\uFEFF'))
    })
  }, 600_000)

  it('an entry that is added and removed again leaves all that was', () => {
    check(({ text, place, names }) => {
      const added = setServer(text, syntax, place, 'added', VALUE)
      const after = removeServer(added, syntax, place, 'added')
      expect(namesIn(after, syntax, place)).toEqual([...names].sort())
      if (names.length > 0 && syntax === jsoncSyntax) expect(after).toBe(text)
      expect(isWithin(text, after)).toBe(true)
    })
  }, 600_000)

  it('an entry that is replaced changes nothing outside of it', () => {
    check(({ text, place, names }) => {
      for (const name of names) {
        const after = setServer(text, syntax, place, name, VALUE)
        expect(entryIn(after, syntax, place, name)).toMatchObject(VALUE)
        for (const other of names.filter(candidate => candidate !== name)) {
          expect(entryIn(after, syntax, place, other)).toEqual(entryIn(text, syntax, place, other))
        }
        // All that the text has besides is there without the entry, too.
        const rest = removeServer(text, syntax, place, name)
        expect(isWithin(rest, after)).toBe(true)
      }
    })
  }, 600_000)

  it('what is there already is not written anew', () => {
    check(({ text, place }) => {
      const once = setServer(text, syntax, place, 'added', VALUE)
      expect(setServer(once, syntax, place, 'added', VALUE)).toBe(once)
      expect(removeServer(text, syntax, place, 'added')).toBe(text)
    })
  }, 600_000)

  it('all entries can go, one by one', () => {
    check(({ text, place, names }) => {
      let after = text
      for (const name of names) after = removeServer(after, syntax, place, name)
      expect(namesIn(after, syntax, place)).toEqual([])
      expect(isWithin(after, text)).toBe(true)
      expect(namesIn(setServer(after, syntax, place, 'again', VALUE), syntax, place)).toEqual(['again'])
    })
  }, 600_000)
})

describe('YAML that is a trap', () => {
  const level = (name: string, of: string) => `${name}: &${name} [${Array(9).fill(of).join(', ')}]\n`
  const laughs =
    level('a', 'x') +
    level('b', '*a') +
    level('c', '*b') +
    level('d', '*c') +
    level('e', '*d') +
    level('f', '*e')

  it.each([
    ['aliases of aliases', laughs, /more than 100000 values/],
    ['an alias in what it names', 'a: &a [*a, *a]', /nest deeper/],
    ['keys that are maps', `${'? '.repeat(60)}a`, /a key must be a plain text/],
    [
      'more aliases than anybody writes',
      `a: &a 1\nb: [${Array(2_000).fill('*a').join(', ')}]`,
      /more than 100000 values/,
    ],
    ['brackets without end', '['.repeat(5_000), /./],
  ])('is refused soon: %s', (_what, text, message) => {
    const began = performance.now()
    expect(() => yamlSyntax.parse(text)).toThrow(SyntaxProblem)
    expect(() => yamlSyntax.parse(text)).toThrow(message)
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  it('an alias or two are none', () => {
    const root = yamlSyntax.parse('a: &a {x: 1}\nb: *a\nc: [*a, *a]')
    expect(toPlain(root as never)).toMatchObject({ b: { x: 1 }, c: [{ x: 1 }, { x: 1 }] })
  })

  it('an item that is no map is no server', () => {
    expect(() =>
      setServer('mcpServers:\n-\n', yamlSyntax, { path: ['mcpServers'], list: true }, 'a', VALUE),
    ).toThrow(SyntaxProblem)
  })
})

function namesIn(text: string, syntax: Syntax, { path }: WrittenText['place']): string[] {
  const node = nodeAt(syntax.parse(text), path)
  if (node?.kind === 'map') return [...node.entries.keys()].sort()
  if (node?.kind !== 'list') return []
  return node.items.map(item => String((toPlain(item) as { readonly name: string }).name)).sort()
}

function entryIn(text: string, syntax: Syntax, { path }: WrittenText['place'], name: string): unknown {
  const node = nodeAt(syntax.parse(text), path)
  if (node?.kind === 'map') return toPlain(nodeAt(node, [name]) as never)
  const items =
    node?.kind === 'list' ? node.items.map(item => toPlain(item) as { readonly name: string }) : []
  return items.find(item => item.name === name)
}

/**
 * Every character of the first in the second, in this order. Brackets, commas and blanks do not count: an empty map may have to
 * open, and the last entry to get a comma.
 */
function isWithin(some: string, all: string): boolean {
  const wanted = some.replace(/[\s,{}[\]]/g, '')
  let index = 0
  for (const character of all) if (character === wanted[index]) index++
  return index === wanted.length
}

function lineBreaks(text: string): string[] {
  return [...new Set(text.match(/\r?\n/g) ?? [])].sort()
}

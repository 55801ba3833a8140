import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignNames, exposedNames, type Named, type NameStyle } from '../../../src/gateway/exposed-names.js'

const STYLES: readonly NameStyle[] = ['server__tool', 'server_tool', 'server-tool', 'none']

const named = (server: string, name: string, prefix = server): Named => ({ label: { server, prefix }, name })

/** What each is called, by server and name. */
function table(items: readonly Named[], style?: NameStyle, limit?: number, reserved?: ReadonlySet<string>) {
  const { names, collisions } = assignNames(items, exposedNames({ style, limit }), reserved)
  return {
    collisions,
    exposed: Object.fromEntries(
      [...names].map(([item, exposed]) => [`${item.label.server}/${item.name}`, exposed]),
    ),
  }
}

/** Three servers with sixty tools each: equal, long, unicode, and with `__`. */
function threeTimesSixty(): Named[] {
  return ['alpha', 'beta', 'Größe_é'].flatMap((server, which) =>
    Array.from({ length: 15 }, (_, index) => [
      named(server, `search_${index}`),
      named(server, `${'long_'.repeat(13)}tool_${index}`),
      named(server, `测试-${index}-é`),
      named(server, `a__b_${index}__${which}`),
    ]).flat(),
  )
}

const shuffled = <T>(items: readonly T[]) =>
  fc.sample(fc.shuffledSubarray([...items], { minLength: items.length }), 1)[0] as T[]

describe('exposed names', () => {
  it('are a readable prefix and the name', () => {
    expect(table([named('github', 'search'), named('files', 'read-file')]).exposed).toEqual({
      'github/search': 'github__search',
      'files/read-file': 'files__read-file',
    })
    expect(table([named('a', 'x')], 'server_tool').exposed).toEqual({ 'a/x': 'a_x' })
    expect(table([named('a', 'x')], 'server-tool').exposed).toEqual({ 'a/x': 'a-x' })
    expect(table([named('a', 'x')], 'none').exposed).toEqual({ 'a/x': 'x' })
  })

  it.each(STYLES)('are unique and legal for 3 x 60 hard names, style %s', style => {
    for (const limit of [40, 64, 128]) {
      const items = threeTimesSixty()
      expect(items).toHaveLength(180)
      const { names } = assignNames(items, exposedNames({ style, limit }))
      expect(names.size).toBe(180)
      expect(new Set(names.values()).size).toBe(180)
      for (const exposed of names.values()) {
        expect(exposed).toMatch(/^[A-Za-z0-9_-]+$/)
        expect(exposed.length).toBeLessThanOrEqual(limit)
      }
    }
  })

  it.each(STYLES)('do not depend on the order of loading, style %s', style => {
    const items = threeTimesSixty()
    expect(table(shuffled(items), style).exposed).toEqual(table(items, style).exposed)
  })

  it('stay what they are between versions of this program', () => {
    expect(
      table([named('alpha', `${'long_'.repeat(13)}tool`), named('alpha', '测试'), named('Größe', 'é')])
        .exposed,
    ).toMatchInlineSnapshot(`
      {
        "Größe/é": "Gro_e__e_097n3kfj5",
        "alpha/long_long_long_long_long_long_long_long_long_long_long_long_long_tool": "alpha__long_long_long_long_long_long_long_long_long_lo_0g5rja1gt",
        "alpha/测试": "alpha_08ceii1fp",
      }
    `)
  })

  it('do not depend on what other servers have, in the standard style', () => {
    const items = threeTimesSixty()
    const all = table(items).exposed
    for (const server of ['alpha', 'beta', 'Größe_é']) {
      const own = items.filter(item => item.label.server === server)
      expect(all).toMatchObject(table(own).exposed)
    }
  })

  it('cannot be read in two ways', () => {
    const items = [
      named('a', 'b__c'),
      named('a__b', 'c'),
      named('a', '_c'),
      named('a_', 'c'),
      named('a', '__c'),
    ]
    const { exposed } = table(items)
    expect(new Set(Object.values(exposed)).size).toBe(items.length)
    expect(exposed).toMatchObject({ 'a/b__c': 'a__b__c', 'a/_c': 'a___c', 'a/__c': 'a____c' })
    const names = exposedNames()
    for (const { label, name } of items) {
      const split = names.split(names.preferred(label, name))
      if (split === undefined || split[0] !== label.prefix) continue
      expect(split).toEqual([label.prefix, name])
    }
  })

  it('that two servers share go to neither without a prefix', () => {
    const items = [named('a', 'search'), named('b', 'search'), named('c', 'find'), named('c', 'a__search')]
    const { exposed, collisions } = table(items, 'none')
    expect(exposed['c/find']).toBe('find')
    // A native name is never taken away, so the other has to move.
    expect(exposed['c/a__search']).toBe('a__search')
    expect(exposed['b/search']).toBe('b__search')
    expect(exposed['a/search']).toMatch(/^search_0[0-9a-v]{8}$/)
    expect(collisions).toMatchObject([{ exposed: 'search', outcome: 'renamed' }])
  })

  it('are made of any name in time that grows with its length', () => {
    const names = exposedNames()
    const began = performance.now()
    for (let count = 0; count < 10; count++)
      expect(names.preferred({ server: 's', prefix: 's' }, `a${'_'.repeat(30_000)}b é`)).toMatch(
        /^s__a_0\w{8}$/,
      )
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  it('keep off reserved names', () => {
    const { exposed, collisions } = table([named('a', 'call_tool')], 'none', 64, new Set(['call_tool']))
    expect(exposed).toEqual({ 'a/call_tool': 'a__call_tool' })
    expect(collisions).toHaveLength(1)
  })

  it('of a server that looks like a hash get another one', () => {
    const hashed = table([named('a', '测')], 'none').exposed['a/测'] as string
    const { exposed } = table([named('a', '测'), named('b', hashed)], 'none')
    expect(exposed['a/测']).toBe(hashed)
    expect(exposed[`b/${hashed}`]).not.toBe(hashed)
  })

  it('once more are one name', () => {
    const twice = [named('a', 'x'), named('a', 'x')]
    expect(table(twice).collisions).toEqual([])
    expect(Object.values(table(twice).exposed)).toEqual(['a__x'])
  })

  it.each(STYLES)('are unique, legal and the same in any order for any names, style %s', style => {
    const word = fc.oneof(
      fc.stringMatching(/^[a-c_-]{1,6}$/),
      fc.string({ unit: 'binary', maxLength: 90 }),
      fc.constantFrom('a', 'a__', '__a', 'a__b', '', 'a_0abcdefgh', 'ä', 'x'.repeat(64), 'x'.repeat(65)),
    )
    const items = fc.array(fc.record({ server: word, name: word, prefix: fc.option(word) }), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(items, fc.integer({ min: 40, max: 128 }), (records, limit) => {
        const prefixes = new Map(records.map(({ server, prefix }) => [server, prefix ?? server]))
        const all = records.map(({ server, name }) => named(server, name, prefixes.get(server)))
        const { exposed, collisions } = table(all, style, limit)
        const different = new Set(all.map(({ label, name }) => `${label.server}/${name}`))
        const refused = collisions.filter(({ outcome }) => outcome === 'refused')
        expect(Object.keys(exposed).length + refused.length).toBe(different.size)
        expect(refused).toEqual([])
        expect(new Set(Object.values(exposed)).size).toBe(Object.keys(exposed).length)
        for (const name of Object.values(exposed)) {
          expect(name).toMatch(/^[A-Za-z0-9_-]+$/)
          expect(name.length).toBeLessThanOrEqual(limit)
        }
        expect(table(shuffled(all), style, limit).exposed).toEqual(exposed)
      }),
      { numRuns: 150 },
    )
  })

  it.each([{ limit: 39 }, { limit: 129 }, { limit: 64.5 }, { style: 'slash' as NameStyle }])(
    'refuse %j',
    options => {
      expect(() => exposedNames(options)).toThrow(TypeError)
    },
  )
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { clientNamed } from '../../../src/config/clients.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { readConfig } from '../../../src/config/read-config.js'
import { switchesFor } from '../../../src/config/tool-switches.js'
import { matchesGlob } from '../../../src/exchange/glob.js'

function read(tools: unknown, names: readonly string[] = ['gh']) {
  const mcp = Object.fromEntries(names.map(name => [name, { type: 'local', command: ['x'] }]))
  const text = JSON.stringify({ tools, mcp })
  const { servers, problems } = readConfig(
    { file: 'opencode.json', text, syntax: jsoncSyntax },
    { client: clientNamed('opencode') },
  )
  return { servers, tools: servers[0]?.tools, warnings: problems.map(({ message }) => message) }
}

it.each([
  [{ write: false, bash: false }, undefined],
  [{ 'gh_*': false }, { allow: [] }],
  [{ 'gh*': false, 'gh_get_*': true }, { allow: ['get_*'] }],
  [
    { 'gh_*': false, 'gh_get_*': true, gh_get_secret: false },
    { allow: ['get_*'], deny: ['get_secret'] },
  ],
  [{ 'gh_delete_?': false, 'other_*': false }, { deny: ['delete_?'] }],
  [{ '*': false, 'gh_*': true }, undefined],
  [{ '*_delete': false }, { deny: ['*_delete', 'delete'] }],
])('%j is the filter %j', (tools, expected) => {
  const { tools: found, warnings } = read(tools)
  expect(warnings).toEqual([])
  if (found?.deny !== undefined) expect({ ...found, deny: [...found.deny].sort() }).toEqual(expected)
  else expect(found).toEqual(expected)
})

it('names are made as OpenCode makes them', () => {
  const { servers } = read({ my_server_x: false, gh_x: false }, ['my server', 'gh'])
  expect(servers.map(({ tools }) => tools)).toEqual([{ deny: ['x'] }, { deny: ['x'] }])
})

it('an exception that a filter cannot have stays off, and is named', () => {
  const { tools, warnings } = read({ 'gh_del*': false, gh_delete_draft: true })
  expect(tools).toEqual({ deny: ['del*'] })
  expect(warnings).toEqual([
    '"gh_delete_draft" is an exception to a shorter pattern: anyport keeps off what that one switches off',
  ])
})

it('what is no switch is a warning', () => {
  expect(read(['gh_*']).warnings[0]).toContain('tools must be a map')
  expect(read({ 'gh_*': 'no' }).warnings[0]).toContain('"gh_*" must be true or false')
})

it('what would say a filter there says it', () => {
  const filter = { allow: ['get_*'], deny: ['get_secret'] }
  expect(read(JSON.parse(`{${switchesFor('gh', filter)}}`)).tools).toEqual(filter)
})

it('never lets through what OpenCode would not, and the same where there is no exception', () => {
  const glob = fc.stringMatching(/^[ab_*?]{1,6}$/)
  const tool = fc.stringMatching(/^[ab_]{1,4}$/)
  fc.assert(
    fc.property(fc.dictionary(glob, fc.boolean(), { maxKeys: 4 }), tool, (switches, name) => {
      const { tools, warnings } = read(switches, ['a'])
      const sorted = Object.entries(switches).sort(([a], [b]) => a.length - b.length || (a < b ? -1 : 1))
      const theirs = sorted.reduce(
        (on, [pattern, value]) => (matchesGlob(pattern, `a_${name}`) ? value : on),
        true,
      )
      const matchesAny = (globs: readonly string[]) => globs.some(pattern => matchesGlob(pattern, name))
      const ours = (tools?.allow === undefined || matchesAny(tools.allow)) && !matchesAny(tools?.deny ?? [])
      if (ours) expect(theirs).toBe(true)
      if (warnings.length === 0) expect(ours).toBe(theirs)
    }),
    { numRuns: 2_000 },
  )
})

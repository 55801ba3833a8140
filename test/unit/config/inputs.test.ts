// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../src/config/client.js'
import { anyport } from '../../../src/config/clients/anyport.js'
import { vscode } from '../../../src/config/clients/vscode.js'
import { CLIENTS } from '../../../src/config/clients.js'
import { placeToEdit, setServer } from '../../../src/config/edit-config.js'
import type { Note } from '../../../src/config/entry-writer.js'
import { type ConfigInput, declareInputs } from '../../../src/config/inputs.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { type ReadConfig, readConfig } from '../../../src/config/read-config.js'
import { inputsOf } from '../../../src/config/resolve.js'
import type { UnresolvedEntry } from '../../../src/config/server-entry.js'
import { nodeAt, type PlainObject, type Syntax, SyntaxProblem, toPlain } from '../../../src/config/source.js'
import { tomlSyntax } from '../../../src/config/toml-syntax.js'
import { writeServer } from '../../../src/config/write-server.js'
import { yamlSyntax } from '../../../src/config/yaml-syntax.js'
import { entries } from '../../fixtures/config/entries.js'
import { jsonTexts, yamlTexts } from '../../fixtures/config/texts.js'

const RUNS = Math.ceil(Number(process.env.CONFIG_RUNS ?? 600) / 3)
const file = 'test'

/** Written as `config import` and its kin do it. */
function written(
  text: string,
  { servers, inputs }: Pick<ReadConfig, 'servers' | 'inputs'>,
  client: Client,
  syntax: Syntax = jsoncSyntax,
) {
  const notes: Note[] = []
  const taken: UnresolvedEntry[] = []
  let after = text
  for (const entry of servers) {
    const { value } = writeServer(entry, client)
    if (value === undefined) continue
    after = setServer(after, syntax, placeToEdit(after, syntax, client), entry.name, value)
    taken.push(entry)
  }
  const declared = declareInputs(after, syntax, client, placeToEdit(after, syntax, client), taken, inputs)
  notes.push(...declared.notes)
  return { text: declared.text, notes, taken }
}

const read = (text: string, client: Client, syntax: Syntax = jsoncSyntax) =>
  readConfig({ file, text, syntax }, { client })

const OF_VSCODE = `{
  // Asked for once.
  "inputs": [
    { "type": "promptString", "id": "api-key", "description": "Key of the API", "password": true },
    {
      "type": "pickString", "id": "region", "description": "Where", "default": "eu",
      "options": ["eu", { "label": "America", "value": "us" }],
    },
    { "type": "command", "id": "token", "command": "some.extension.token", "args": { "a": [1] } },
    { "type": "promptString", "id": "unused", "description": "Nobody asks" }, // the last
  ],
  "servers": {
    "local": { "type": "stdio", "command": "x", "args": ["\${input:region}"], "env": { "KEY": "\${input:api-key}" } },
    "far": { "type": "http", "url": "https://a.example/mcp", "headers": { "Authorization": "Bearer \${input:token}" } }
  }
}
`

describe('inputs of VS Code', () => {
  it('cross to anyport and back, as far as servers refer to them, and it is said which variables have their values', () => {
    const original = read(OF_VSCODE, vscode)
    const { text, notes } = written('', original, anyport)
    const ours = JSON.parse(text)
    expect(ours.mcpServers.local.env).toEqual({ KEY: '${input:api-key}' })
    const declared = toPlain(nodeAt(jsoncSyntax.parse(OF_VSCODE), ['inputs']) as never) as { id: string }[]
    expect(ours.inputs).toEqual(['region', 'api-key', 'token'].map(id => declared.find(one => one.id === id)))
    expect(notes.map(({ server, field, kind }) => [server, field, kind])).toEqual([
      ['local', 'inputs.region', 'changed'],
      ['local', 'inputs.api-key', 'changed'],
      ['far', 'inputs.token', 'changed'],
    ])
    expect(notes[1]?.message).toContain('ANYPORT_INPUT_API_KEY')
    const imported = read(text, anyport)
    expect(imported.problems).toEqual([])
    const back = written('', imported, vscode)
    expect(back.notes).toEqual([])
    expect(JSON.parse(back.text)).toEqual({ servers: JSON.parse(back.text).servers, inputs: ours.inputs })
    expect(read(back.text, vscode).inputs).toEqual(imported.inputs)
    // A second time, nothing is new.
    expect(written(text, original, anyport)).toMatchObject({ text, notes: [] })
  })

  it('that the file has already stay, and a different one has a name', () => {
    const original = read(OF_VSCODE, vscode)
    const before = '{ "inputs": [{ "type": "promptString", "id": "region", "description": "Mine" }] }'
    const { text, notes } = written(before, original, vscode)
    expect(JSON.parse(text).inputs.map(({ id, description }: PlainObject) => [id, description])).toEqual([
      ['region', 'Mine'],
      ['api-key', 'Key of the API'],
      ['token', undefined],
    ])
    expect(notes).toEqual([
      {
        server: 'local',
        field: 'inputs.region',
        kind: 'changed',
        message: expect.stringContaining('declares "region" already'),
      },
    ])
  })

  it('that nobody has declared are written as for passwords, since VS Code asks for no others', () => {
    const text = '{ "mcpServers": { "a": { "command": "x", "env": { "K": "${input:k}" } } } }'
    const { text: after, notes } = written('', read(text, anyport), vscode)
    expect(JSON.parse(after).inputs).toEqual([
      { type: 'promptString', id: 'k', description: 'k', password: true },
    ])
    expect(notes).toMatchObject([{ field: 'inputs.k', message: expect.stringContaining('declared nowhere') }])
    // anyport asks all the same.
    expect(JSON.parse(written('', read(text, anyport), anyport).text)).toEqual(JSON.parse(text))
  })

  it.each([
    ['settings.json', ['mcp']],
    ['devcontainer.json', ['customizations', 'vscode', 'mcp']],
  ])('stand beside the servers in %s, too', (_name, way) => {
    const nest = (value: unknown) =>
      JSON.stringify(way.reduceRight((inner, key) => ({ [key]: inner }), value))
    const inputs = [{ type: 'promptString', id: 'k', description: 'Key', password: true }]
    const servers = { a: { type: 'stdio', command: 'x', env: { K: '${input:k}' } } }
    const config = read(nest({ inputs, servers }), vscode)
    expect(config.inputs).toMatchObject([{ id: 'k', secret: true }])
    const added = written(nest({ servers: {} }), config, vscode)
    expect(JSON.parse(added.text)).toEqual(JSON.parse(nest({ servers, inputs })))
  })

  it('are not written for clients that have none: there the server is refused, and its secret with it', () => {
    const { servers, inputs } = read(OF_VSCODE, vscode)
    for (const client of CLIENTS.filter(one => !one.inputs)) {
      const syntax =
        client.syntax === 'toml' ? tomlSyntax : client.syntax === 'yaml' ? yamlSyntax : jsoncSyntax
      const { text, notes, taken } = written('', { servers, inputs }, client, syntax)
      expect(notes).toEqual([])
      // Continue has a word of its own for what is asked for.
      if (client.id !== 'continue') expect([client.id, text, taken]).toEqual([client.id, '', []])
      expect(text).not.toContain('Key of the API')
    }
  })

  it('what stands in their place is not overwritten', () => {
    const { servers, inputs } = read(OF_VSCODE, vscode)
    expect(() => written('{ "inputs": { "mine": 1 } }', { servers, inputs }, anyport)).toThrow(SyntaxProblem)
  })
})

const declarations: fc.Arbitrary<PlainObject> = fc.record(
  {
    type: fc.constantFrom('promptString', 'pickString', 'command'),
    description: fc.string({ maxLength: 8 }),
    password: fc.boolean(),
    default: fc.string({ maxLength: 8 }),
    options: fc.array(fc.string({ maxLength: 5 }), { maxLength: 3 }),
    args: fc.dictionary(fc.string({ maxLength: 4 }), fc.integer(), { maxKeys: 2, noNullPrototype: true }),
  },
  { requiredKeys: ['type'], noNullPrototype: true },
) as fc.Arbitrary<PlainObject>

/** Some of those that an entry refers to are declared, and some that nobody refers to. */
const configs = fc
  .tuple(
    fc.uniqueArray(entries, { maxLength: 3, selector: ({ name }) => name }),
    fc.array(declarations, { maxLength: 6 }),
    fc.uniqueArray(fc.stringMatching(/^[a-z]{3,5}$/), { maxLength: 2 }),
  )
  .map(([servers, declared, others]) => ({
    servers,
    declared: [...new Set([...inputsOf(servers), ...others])].flatMap((id, index) =>
      declared[index] === undefined ? [] : [{ ...declared[index], id } as PlainObject],
    ),
  }))

describe('whatever servers ask for', () => {
  it.each([
    ['VS Code', vscode, jsoncSyntax],
    ['anyport', anyport, jsoncSyntax],
    ['anyport, in YAML', anyport, yamlSyntax],
  ] as const)(
    'is declared where they are written for %s, as it was declared',
    (_name, client, syntax) => {
      let asked = 0
      fc.assert(
        fc.property(configs, ({ servers, declared }) => {
          const source = read(JSON.stringify({ mcpServers: {}, inputs: declared }), anyport)
          const { text, taken } = written('', { servers, inputs: source.inputs }, client, syntax)
          const { inputs, problems } = read(text, client, syntax)
          expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
          const ids = inputsOf(taken)
          const known = new Map(source.inputs.map(input => [input.id, input]))
          const expected = ids.flatMap((id): ConfigInput[] => {
            const input = known.get(id)
            if (input !== undefined) return [input]
            return client === vscode ? [{ id, description: id, secret: true }] : []
          })
          expect(inputs).toMatchObject(expected)
          expect(inputs).toHaveLength(expected.length)
          asked += expected.length
        }),
        { numRuns: RUNS },
      )
      expect(asked).toBeGreaterThan(0)
    },
    600_000,
  )

  it.each([
    ['JSON', jsoncSyntax, jsonTexts],
    ['YAML', yamlSyntax, yamlTexts],
  ] as const)(
    'is put into any text of %s, one behind the other, and takes nothing away',
    (_name, syntax, texts) => {
      fc.assert(
        fc.property(texts, ({ text }) => {
          const items: PlainObject[] = [{ id: 'a', x: ['"', 1] }, { id: 'b' }, { id: 'c', y: {} }]
          let after = text
          for (const item of items) after = syntax.append(after, ['inputs'], item)
          const before = syntax.parse(text)
          const expected = before === undefined ? {} : (toPlain(before) as PlainObject)
          expect(toPlain(syntax.parse(after) as never)).toEqual({ ...expected, inputs: items })
          const comments = text.match(/\/\/ \w+|# \w+/g) ?? []
          for (const comment of comments) expect(after).toContain(comment)
          expect(after.startsWith('\uFEFF')).toBe(text.startsWith('\uFEFF'))
        }),
        { numRuns: RUNS },
      )
    },
    600_000,
  )

  it.each([
    ['no item', '{\n  "inputs": []\n}\n', '{\n  "inputs": [\n    {\n      "id": "a"\n    }\n  ]\n}\n'],
    ['items in one line', '{ "inputs": [{ "id": "z" }] }', '{ "inputs": [{ "id": "z" }, {"id":"a"}] }'],
    [
      'items in lines, with comments',
      '{\n\t"inputs": [\n\t\t// one\n\t\t{ "id": "z" }, // of it\n\t],\n}',
      '{\n\t"inputs": [\n\t\t// one\n\t\t{ "id": "z" }, // of it\n\t\t{\n\t\t\t"id": "a"\n\t\t},\n\t],\n}',
    ],
  ])('goes into a list with %s as a person would write it', (_name, before, after) => {
    expect(jsoncSyntax.append(before, ['inputs'], { id: 'a' })).toBe(after)
  })
})

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { anyport } from '../../../src/config/clients/anyport.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { readConfig } from '../../../src/config/read-config.js'
import { keysOf } from '../../../src/config/read-server.js'
import { GATEWAY_KEYS, SERVER_KEYS } from '../../../src/config/settings.js'
import { type SourceNode, toPlain } from '../../../src/config/source.js'
import { writeServer } from '../../../src/config/write-server.js'
import { entries } from '../../fixtures/config/entries.js'

const schema = JSON.parse(
  readFileSync(new URL('../../../schema/anyport.schema.json', import.meta.url), 'utf8'),
)
const validate = new Ajv({ strict: true, strictRequired: false, strictTypes: false }).compile(schema)
const read = (text: string) => readConfig({ file: 'f.json', text, syntax: jsoncSyntax }, { client: anyport })

it('names the same keys as the parser', () => {
  const { server, settings, gateway } = schema.definitions
  expect(Object.keys(server.properties).sort()).toEqual([...new Set(keysOf(anyport))].sort())
  expect(Object.keys(settings.properties).sort()).toEqual([...SERVER_KEYS].sort())
  expect(Object.keys(gateway.properties).sort()).toEqual([...GATEWAY_KEYS].sort())
})

it('allows the example', () => {
  const text = readFileSync(
    new URL('../../fixtures/config/golden/anyport.before.json', import.meta.url),
    'utf8',
  )
  expect(validate(toPlain(jsoncSyntax.parse(text) as SourceNode)), JSON.stringify(validate.errors)).toBe(true)
})

it('allows whatever is written', () => {
  fc.assert(
    fc.property(entries, entry => {
      const { value } = writeServer(entry, anyport)
      fc.pre(value !== undefined)
      expect(validate({ mcpServers: { s: value } }), JSON.stringify([value, validate.errors])).toBe(true)
    }),
    { numRuns: 200 },
  )
})

it('allows inputs as VS Code declares them', () => {
  const input = { type: 'promptString', id: 'k', description: 'Key', password: true }
  expect(validate({ mcpServers: {}, inputs: [input] }), JSON.stringify(validate.errors)).toBe(true)
  expect(validate({ mcpServers: {}, inputs: [{ ...input, id: 5 }] })).toBe(false)
})

it.each([
  { command: 'x', comand: 'y' },
  { command: 'x', url: 'https://a.example' },
  { args: [] },
  { command: '' },
  { command: 'x', type: 'smoke' },
  { command: 'x', timeout: '5 parsecs' },
  { command: 'x', disabled: 'no' },
  { command: 'x', anyport: { isolation: 'some' } },
  { command: 'x', anyport: { idleTimeout: '30' } },
  { command: 'x', anyport: { maxChildren: 0 } },
  { command: 'x', anyport: { other: 1 } },
  { url: 'https://a.example', oauth: { callbackPort: 0 } },
])('what it refuses, the parser finds fault with: %j', server => {
  const config = { mcpServers: { s: server } }
  expect(validate(config)).toBe(false)
  expect(read(JSON.stringify(config)).problems.length).toBeGreaterThan(0)
})

it.each([
  { style: 'fancy' },
  { limit: 39 },
  { maxTools: 3 },
  { listTimeout: 5 },
  { servers: [] },
  { other: 1 },
])('settings of the gateway too: %j', gateway => {
  const config = { anyport: gateway, mcpServers: {} }
  expect(validate(config)).toBe(false)
  expect(read(JSON.stringify(config)).problems.length).toBeGreaterThan(0)
})

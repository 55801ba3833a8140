// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { expect, it } from 'vitest'
import { anyport } from '../../../src/config/clients/anyport.js'
import { clientNamed } from '../../../src/config/clients.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { readConfig } from '../../../src/config/read-config.js'
import type { UnresolvedEntry } from '../../../src/config/server-entry.js'
import { writeServer } from '../../../src/config/write-server.js'

const SERVER = {
  url: 'https://a.example/mcp',
  headers: { 'X-User': 'u ${claim:https://example.com/email} $${x}', 'X-Who': '${principal}' },
}
const AUTH = {
  type: 'token-exchange',
  issuer: 'https://login.example.com',
  clientId: 'us',
  clientSecret: '${SECRET}',
  audience: 'tracker',
  scopes: ['read'],
}

function entryOf(server: object): UnresolvedEntry {
  const text = JSON.stringify({ mcpServers: { a: server } })
  const { servers, problems } = readConfig({ file: 'f.json', text, syntax: jsoncSyntax }, { client: anyport })
  expect(problems).toEqual([])
  return servers[0] as UnresolvedEntry
}

it.each([SERVER, { url: SERVER.url, auth: AUTH }])('%j comes out as it went in', server => {
  const { value, notes } = writeServer(entryOf(server), anyport)
  expect(notes).toEqual([])
  expect(value).toEqual(server)
})

it.each([SERVER, { url: SERVER.url, auth: AUTH }])('no client can hold %j, and it is said', server => {
  for (const id of ['claude-code', 'cursor', 'vscode', 'codex', 'zed']) {
    const client = clientNamed(id)
    if (client === undefined) throw new Error(id)
    const { value, notes } = writeServer(entryOf(server), client)
    expect([id, value, notes.some(({ kind }) => kind === 'refused')]).toEqual([id, undefined, true])
    expect(JSON.stringify(notes)).not.toContain('SECRET')
  }
})

it('in the file of a client its own syntax holds: there it is text', () => {
  const text = JSON.stringify({
    mcpServers: { a: { type: 'http', url: SERVER.url, headers: { A: '${claim:sub}' } } },
  })
  const client = clientNamed('cursor')
  if (client === undefined) throw new Error('cursor')
  const { servers } = readConfig({ file: 'mcp.json', text, syntax: jsoncSyntax }, { client })
  expect(servers[0]?.server).toMatchObject({ headers: { A: ['${claim:sub}'] } })
})

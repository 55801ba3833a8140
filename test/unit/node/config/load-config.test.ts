// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ConfigError, formatProblem } from '../../../../src/config/problem.js'
import { loadConfig } from '../../../../src/node/config/load-config.js'

let folder = ''
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-load-')))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

it('gives every reference its value', async () => {
  file('secret.txt', 'from a file\r\n')
  const path = file(
    '.vscode/mcp.json',
    `{ "inputs": [{ "type": "promptString", "id": "key", "description": "The key", "password": true }, { "type": "promptString", "id": "mode", "default": "quiet" }],
       "servers": {
         "s": { "type": "stdio", "command": "\${env:BIN}", "args": ["\${workspaceFolder}/x", "\${userHome}"], "env": { "KEY": "\${input:key}", "MODE": "\${input:mode}" } },
         "r": { "type": "http", "url": "https://a.example", "headers": { "A": "Bearer \${env:TOKEN}" } } } }`,
  )
  const asked: string[] = []
  const { servers, client, warnings } = await loadConfig({
    file: path,
    env: { BIN: 'run', TOKEN: 't' },
    ask: async ({ id, description, secret }) => {
      asked.push(`${id} ${description} ${secret}`)
      return id === 'key' ? 'typed' : undefined
    },
  })
  expect({ client, warnings }).toEqual({ client: 'vscode', warnings: [] })
  expect(asked).toEqual(['key The key true', 'mode mode false'])
  expect(servers.map(({ server }) => server)).toEqual([
    { kind: 'stdio', command: 'run', args: [`${folder}/x`, homedir()], env: { KEY: 'typed', MODE: 'quiet' } },
    { kind: 'remote', url: 'https://a.example', transport: 'streamable-http', headers: { A: 'Bearer t' } },
  ])
})

it('files, fallbacks, and inputs from the environment', async () => {
  file('secret.txt', 'from a file\r\n')
  const path = file(
    'mcp.json',
    '{ "mcpServers": { "s": { "command": "x", "env": { "A": "${file:secret.txt}", "B": "${UNSET:-b}", "C": "${EMPTY:-c}", "D": "${input:my-key}", "E": "$${A}" } } } }',
  )
  const { servers } = await loadConfig({ file: path, env: { EMPTY: '', ANYPORT_INPUT_MY_KEY: 'd' } })
  expect(servers[0]?.server).toMatchObject({ env: { A: 'from a file', B: 'b', C: 'c', D: 'd', E: '${A}' } })
})

it('what has no value is an error that names it with its place, and all of them at once', async () => {
  const path = file(
    'mcp.json',
    '{ "mcpServers": {\n "s": { "command": "${BIN}",\n  "env": { "A": "x${TOKEN}", "B": "${input:key}", "C": "${file:./none}", "D": "${op://vault/x}" } } } }',
  )
  const error = await loadConfig({ file: path, env: {} }).catch(reason => reason)
  expect(error).toBeInstanceOf(ConfigError)
  expect(error.message.split('\n')).toEqual([
    `${path}:2:20: server "s": the variable BIN is not set`,
    `${path}:3:17: server "s": the variable TOKEN is not set`,
    `${path}:3:35: server "s": the input "key" has no value; ANYPORT_INPUT_KEY can give it one`,
    `${path}:3:56: server "s": the file ./none does not exist`,
    `${path}:3:79: server "s": "\${op://vault/x}" is no reference that anyport knows; a text \${ is written $\${`,
  ])
})

it('says what a gateway cannot do with a server, and leaves out headers that are not its own', async () => {
  const path = file(
    'mcp.json',
    `{ "mcpServers": {
 "a": { "type": "http", "url": "https://a.example", "headers": { "Accept": "x", "X-Own": "y" },
   "oauth": { "clientId": "i", "redirectUri": "cursor://x", "tokenUrl": "https://b.example" } } } }`,
  )
  const { servers, warnings } = await loadConfig({ file: path, client: 'anyport' })
  expect(servers[0]?.server).toMatchObject({ headers: { 'X-Own': 'y' } })
  expect(servers[0]?.server).not.toHaveProperty('headers.Accept')
  expect(warnings.map(formatProblem)).toEqual([
    `${path}:2:2: server "a": the header Accept is left out: anyport sets it itself`,
    `${path}:2:2: server "a": tokenUrl has no effect: the server itself says where to sign in, and for what`,
    `${path}:2:2: server "a": the redirect address has no effect: answers can come to http://127.0.0.1 and http://localhost only`,
  ])
  await expect(loadConfig({ file: path, client: 'anyport', strict: true })).rejects.toThrow(ConfigError)
  const wrong = file(
    'wrong.json',
    '{ "mcpServers": { "a": { "url": "https://a.example", "oauth": { "clientSecret": "s3cret" } } } }',
  )
  await expect(loadConfig({ file: wrong, client: 'anyport' })).rejects.toThrow(
    'server "a": a client secret needs the client id that it belongs to',
  )
})

it('what is disabled needs no values', async () => {
  const path = file(
    'mcp.json',
    '{ "mcpServers": { "off": { "command": "${NONE}", "disabled": true }, "on": { "command": "x" } } }',
  )
  expect(await loadConfig({ file: path, env: {} })).toMatchObject({
    servers: [{ name: 'on' }],
    disabled: ['off'],
  })
})

it('warnings are told, or errors where that is asked for', async () => {
  const path = file(
    '.cursor/mcp.json',
    '{ "mcpServers": { "s": { "command": "x", "environment": { "A": "b" } } } }',
  )
  const { warnings, servers } = await loadConfig({ file: path })
  expect(warnings.map(({ message }) => message)).toEqual([
    'server "s": Cursor does not read "environment"; it calls it "env"',
  ])
  expect(servers[0]?.server).toMatchObject({ env: { A: 'b' } })
  await expect(loadConfig({ file: path, strict: true })).rejects.toThrow('it calls it "env"')
})

it('a file that is not there, a client that is none', async () => {
  await expect(loadConfig({ file: join(folder, 'none.json') })).rejects.toThrow('it does not exist')
  await expect(loadConfig({ file: file('a.json', '{}'), client: 'nobody' })).rejects.toThrow(
    'no client "nobody"',
  )
})

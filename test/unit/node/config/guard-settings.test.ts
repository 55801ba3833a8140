// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { GUARD_KEYS } from '../../../../src/config/guard-settings.js'
import { ConfigError, formatProblem } from '../../../../src/config/problem.js'
import { loadConfig, loadGuards } from '../../../../src/node/config/load-config.js'

let folder = ''
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-guards-')))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function file(content: object | string): string {
  const path = join(folder, 'anyport.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 1))
  return path
}

async function problemsOf(content: object | string, env = {}): Promise<string[]> {
  const path = file(content)
  try {
    await loadConfig({ file: path, env })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(formatProblem).map(text => text.replace(`${path}:`, ''))
  }
}

const ALL = {
  publicUrl: 'https://mcp.example.com',
  keys: 'default',
  authIssuer: 'https://login.example.com',
  authAudience: 'https://mcp.example.com/*',
  authScope: ['read', 'write'],
  authJwks: 'https://login.example.com/keys',
  authAlgorithm: ['ES256'],
  authClockSkew: '1m',
  authIntrospection: 'https://login.example.com/introspect',
  authClientId: 'us',
  authClientSecret: '${AUTH_SECRET}',
  tls: 'self-signed',
  tlsCert: 'tls/cert.pem',
  tlsKey: '/etc/key.pem',
  tlsClientCa: '~/ca.pem',
  cors: ['https://*.example.com'],
  allowOrigin: 'https://app.example.com',
  allowHost: ['mcp.example.com', '${NAME:-mcp}.example.net'],
  allowAddress: ['10.0.0.0/8', 'loopback'],
  denyAddress: '10.0.0.7',
  trustProxy: ['127.0.0.1'],
  proxyHeaders: 'forwarded',
  allowUnauthenticated: true,
  maxBody: '1MiB',
  maxDepth: 64,
  requestTimeout: '10s',
  maxHeaderSize: '16KiB',
  maxHeaders: 100,
  maxClients: 500,
  maxClientsPerAddress: 50,
  rateLimit: ['principal=50/s,200'],
  maxConcurrent: 20,
  rules: [{ allow: { tools: ['get_*'] }, scopes: ['read'] }],
  audit: 'logs/audit.jsonl',
  auditArguments: true,
  auditRedact: ['iban'],
  auditDurable: false,
  auditOnFailure: 'continue',
  auditRefusals: 'all',
  auditMaxSize: '10MiB',
  auditKeep: 5,
  auditKey: '${file:key.txt}',
  dashboard: true,
  dashboardAllow: 'scope:watch',
  dashboardArguments: false,
}

it('a file can say all that the command line can, with references, and paths from the file on', async () => {
  writeFileSync(join(folder, 'key.txt'), '0123456789abcdef\n')
  expect(Object.keys(ALL).sort()).toEqual([...GUARD_KEYS].sort())
  const path = file({ mcpServers: {}, anyport: ALL })
  const { guards, warnings } = await loadConfig({ file: path, env: { AUTH_SECRET: 'planted' } })
  expect(warnings).toEqual([])
  expect(guards).toEqual({
    ...ALL,
    authAudience: ['https://mcp.example.com/*'],
    authClockSkew: 60_000,
    authClientSecret: 'planted',
    tlsCert: join(folder, 'tls/cert.pem'),
    tlsClientCa: join(homedir(), 'ca.pem'),
    allowOrigin: ['https://app.example.com'],
    allowHost: ['mcp.example.com', 'mcp.example.net'],
    denyAddress: ['10.0.0.7'],
    maxBody: 1024 * 1024,
    requestTimeout: 10_000,
    maxHeaderSize: 16 * 1024,
    rateLimit: [{ per: ['principal'], perSecond: 50, burst: 200 }],
    audit: join(folder, 'logs/audit.jsonl'),
    auditMaxSize: 10 * 1024 * 1024,
    auditKey: '0123456789abcdef',
    dashboardAllow: ['scope:watch'],
  })
  expect(await loadGuards({ file: path, env: { AUTH_SECRET: 'planted' } })).toEqual(guards)
})

const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
  ['publicUrl', 'mcp.example.com', /expected an address/],
  ['authIssuer', 'http://login.example.com', /must be https/],
  ['authJwks', 'https://a:planted@login.example.com', /must not hold credentials/],
  ['authClockSkew', '5 parsecs', /parsecs/],
  ['tls', 'maybe', /expected "self-signed"/],
  ['tlsCert', '', /is empty/],
  ['tlsCert', ['a'], /must be a text; found a list/],
  ['cors', 'example.com', /is no origin/],
  ['allowOrigin', 'nowhere', /is not an origin/],
  ['allowHost', 'a b', /is not a host name/],
  ['allowAddress', '10.0.0.1/8', /bits set/],
  ['denyAddress', '300.0.0.1', /is no address/],
  ['trustProxy', 'proxy', /is no address/],
  ['proxyHeaders', 'both', /expected "x-forwarded" or "forwarded"/],
  ['allowUnauthenticated', 'yes', /must be true or false/],
  ['maxBody', 'big', /big/],
  ['maxDepth', 0, /a whole number from 1/],
  ['requestTimeout', 'soon', /soon/],
  ['maxHeaderSize', '1 ell', /ell/],
  ['maxHeaders', 1.5, /a whole number from 1/],
  ['maxClients', 'many', /a whole number from 1/],
  ['rateLimit', 'nobody=1/s', /expected all, principal/],
  ['maxConcurrent', 0, /a whole number from 1/],
  ['rules', { allow: {} }, /a list of rules, or a file/],
  ['rules', [{ alow: {} }], /the rule/],
  ['auditOnFailure', 'panic', /expected "block" or "continue"/],
  ['auditRefusals', 'none', /expected "bounded" or "all"/],
  ['auditMaxSize', 'big', /big/],
  ['auditKey', 'planted', /at least 16 characters/],
]
it.each(WRONG)('%s: %j is wrong, and said where it stands', async (key, value, message) => {
  const problems = await problemsOf(
    `{ "mcpServers": {},\n"anyport": {\n "${key}": ${JSON.stringify(value)} } }`,
  )
  expect(problems).toEqual([expect.stringMatching(/^3:\d+: anyport/)])
  expect(problems[0]).toMatch(message)
  expect(problems[0]).toContain(key)
  expect(problems[0]).not.toContain('planted')
})

it('each line of a list has its own problem, and references without a value are named', async () => {
  const problems = await problemsOf(`{ "mcpServers": {}, "anyport": {
 "allowAddress": ["10.0.0.1",
  "nowhere"],
 "rules": [
  { "allow": {} },
  { "deny": {}, "scopes": ["x"] }],
 "authClientSecret": "\${MISSING}" } }`)
  expect(problems.map(problem => problem.split(': ').slice(0, 3).join(' ')).sort()).toEqual([
    '3:3 anyport allowAddress',
    '6:3 anyport rules',
    '7:22 anyport authClientSecret',
  ])
})

it('a key that is not known is a warning with what is meant', async () => {
  const { warnings } = await loadConfig({
    file: file({ mcpServers: {}, anyport: { ratelimit: ['all=1/s'] } }),
  })
  expect(warnings.map(({ message }) => message)).toEqual([
    'anyport: there is no setting "ratelimit"; did you mean "rateLimit"?',
  ])
})

it('what is wrong with the rules and limits of one server is said there', async () => {
  const problems = await problemsOf(`{ "mcpServers": {
 "a": { "command": "x", "anyport": {
  "rateLimit": ["often"],
  "rules": [{ "allow": {} },
   { "permit": {} }] } } } }`)
  expect(problems).toEqual([
    expect.stringMatching(/^3:17: server "a": anyport: rateLimit: "often" is no limit/),
    expect.stringMatching(/^5:4: server "a": anyport: rules: the rule/),
  ])
})

it('who calls can be in headers, and nowhere else', async () => {
  const path = file({
    mcpServers: {
      a: {
        url: 'https://a.example',
        headers: { 'X-User': '<${claim:email}> $${x} ${KEY}', 'X-Who': '${principal}', Other: '${KEY}' },
      },
    },
  })
  const { servers } = await loadConfig({ file: path, env: { KEY: '${literal}' } })
  expect(servers[0]?.server).toMatchObject({
    headers: { Other: '${literal}' },
    callerHeaders: { 'X-User': '<${claim:email}> $${x} $${literal}', 'X-Who': '${principal}' },
  })
  for (const server of [
    { url: 'https://${principal}.example' },
    { command: 'x', args: ['${claim:sub}'] },
    { command: 'x', env: { A: '${principal}' } },
  ])
    expect(await problemsOf({ mcpServers: { a: server } })).toEqual([
      expect.stringContaining('only headers of a server at an address can say it'),
    ])
})

it('exchanged tokens', async () => {
  const auth = {
    type: 'token-exchange',
    issuer: 'https://login.example.com',
    clientId: 'us',
    clientSecret: '${S}',
  }
  const path = file({
    mcpServers: { a: { url: 'https://a.example', auth: { ...auth, scopes: 'read write' } } },
  })
  const { servers, warnings } = await loadConfig({ file: path, env: { S: 'planted' } })
  expect(warnings).toEqual([])
  expect(servers[0]?.server).toMatchObject({
    exchange: {
      issuer: 'https://login.example.com',
      clientId: 'us',
      clientSecret: 'planted',
      scopes: ['read', 'write'],
    },
  })
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ auth: { ...auth, type: 'magic' } }, /type must be "token-exchange"/],
    [{ auth: { issuer: 'https://x.example' } }, /a map with the type/],
    [{ auth: { type: 'token-exchange', clientId: 'us' } }, /either an issuer or a tokenEndpoint/],
    [{ auth: { ...auth, clientId: undefined } }, /needs the clientId/],
    [{ auth: { ...auth, issuer: 'http://login.example.com' } }, /auth.issuer must be an https address/],
    [{ auth, headers: { authorization: 'Bearer x' } }, /sets the header Authorization/],
    [{ auth, oauth: { clientId: 'x' } }, /it can have auth or oauth/],
    [{ auth, anyport: { isolation: 'shared' } }, /cannot share a connection/],
    [{ headers: { A: '${claim:sub}' }, anyport: { isolation: 'shared' } }, /cannot share a connection/],
  ]
  for (const [more, message] of wrong) {
    const problems = await problemsOf(
      { mcpServers: { a: { url: 'https://a.example', ...more } } },
      { S: 'x' },
    )
    expect(problems.join('\n')).toMatch(message)
    expect(problems.join('\n')).not.toContain('planted')
  }
})

import { afterEach, describe, expect, it, vi } from 'vitest'
import { redactor, secretsOf, secretsOfTree } from '../../../../src/cli/doctor/redact.js'
import { jsoncSyntax } from '../../../../src/config/jsonc-syntax.js'

const program = (env: Record<string, string>, args: readonly string[] = []) =>
  redactor(secretsOf({ kind: 'stdio', command: 'node', args, env }, '/project/mcp.json'))

afterEach(() => vi.unstubAllEnvs())

describe('values of variables', () => {
  it('are masked, however they are written', () => {
    const { foreign, own } = program({ API: 'a b/c+"d' })
    expect(foreign('got a b/c+"d')).toBe('got ***')
    expect(foreign('{"api":"a b/c+\\"d"}')).toBe('{"api":"***"}')
    expect(own('https://example.com/?q=a%20b%2Fc%2B%22d')).toBe('https://example.com/?q=***')
  })

  it('line by line, and the passwords of addresses alone', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----'
    expect(program({ PEM: key }).foreign('read MIIEvQIBADANBg')).toBe('read ***')
    const { foreign } = program({ DATABASE: 'postgres://me:hunter22@db/one' })
    expect(foreign('cannot log in with hunter22')).toBe('cannot log in with ***')
  })

  it('but not what stands in any text, unless its name says that it is secret', () => {
    const { foreign } = program({
      TRANSPORT: 'stdio',
      PORT: '3000',
      PATH: '/usr/bin',
      NODE_ENV: 'production',
    })
    expect(foreign('stdio on 3000 by /usr/bin/node in production')).toBe(
      'stdio on 3000 by /usr/bin/node in production',
    )
    expect(program({ DB_PASSWORD: 'stdio' }).foreign('stdio')).toBe('***')
  })
})

it('secret arguments', () => {
  const args = [
    '--api-key',
    'abc-1234',
    '--url',
    'https://h/mcp?a=1&token=xyz-9876',
    '-e',
    'MY_TOKEN=tuv-5555',
    '--verbose',
  ]
  const { foreign } = program({}, args)
  expect(foreign('abc-1234 xyz-9876 tuv-5555 --verbose')).toBe('*** *** *** --verbose')
})

it('headers, and what an address holds', () => {
  const server = {
    kind: 'remote',
    url: 'https://me:secret-1@h/mcp?key=secret-2',
    transport: 'auto',
    headers: { Authorization: 'Bearer secret-3', 'X-Key': 'secret-4', Accept: 'application/json' },
    auth: { clientId: 'id-of-us', clientSecret: 'secret-5' },
  } as const
  const { foreign } = redactor(secretsOf(server, '/project/mcp.json'))
  expect(
    foreign('secret-1 secret-2 Bearer secret-3 secret-3 secret-4 secret-5 id-of-us application/json'),
  ).toBe('*** *** *** *** *** *** id-of-us application/json')
})

it('what programs may have from our own environment', () => {
  vi.stubEnv('SOME_API_TOKEN', 'of-our-own-1')
  vi.stubEnv('HTTPS_PROXY', 'http://me:of-our-own-2@proxy:3128')
  expect(program({}).foreign('of-our-own-1 of-our-own-2')).toBe('*** ***')
})

it('what looks like a secret, in the words of others only', () => {
  const { foreign, own } = program({})
  expect(foreign('token=abcdef123 Bearer abcdefgh')).toBe('token=*** Bearer ***')
  expect(own('export TOKEN=...')).toBe('export TOKEN=...')
})

it('nothing that plays tricks on a terminal', () => {
  expect(program({}).foreign('\u001b[31mred\u202e')).toBe('\\u001b[31mred\\u202e')
})

it('what a file says in confidence, also where it cannot be read as servers', () => {
  const text = JSON.stringify({
    mcpServers: {
      one: {
        env: { PIN: 12345678, LEVEL: 'debug' },
        headers: { 'X-Me': 'me-and-only-me' },
        url: 'https://h/mcp',
      },
      two: { oauth: { clientSecret: 'of-the-client' }, args: ['said-aloud'], tokenUrl: 'https://h/token' },
    },
  })
  const { foreign } = redactor(secretsOfTree(jsoncSyntax.parse(text)))
  expect(foreign('12345678 me-and-only-me of-the-client')).toBe('*** *** ***')
  expect(foreign('debug said-aloud https://h/mcp https://h/token')).toBe(
    'debug said-aloud https://h/mcp https://h/token',
  )
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseArguments, UsageError } from '../../../src/cli/arguments.js'
import { connectCommand } from '../../../src/cli/connect.js'
import { CONNECT_OPTIONS } from '../../../src/cli/connect-options.js'
import { SERVE_OPTIONS } from '../../../src/cli/serve-options.js'
import { targetOf } from '../../../src/cli/target.js'
import type { RemoteTarget } from '../../../src/client/remote.js'
import { createLog } from '../../../src/node/log.js'

const log = createLog({ level: 'silent', format: 'text' })

async function target(...argv: string[]): Promise<RemoteTarget> {
  return (await targetOf(parseArguments(SERVE_OPTIONS, argv), log)) as RemoteTarget
}

describe('the target of a command line', () => {
  it('is a remote server where a URL is given', async () => {
    const { name, remote } = await target(
      'https://mcp.example/mcp?key=s3cret',
      ...['--transport', 'sse', '--header', 'X-One: 1', '--header', 'X-Two:2: 3'],
    )
    expect(name).toBe('https://mcp.example/mcp?key=***')
    expect(remote).toMatchObject({
      url: 'https://mcp.example/mcp?key=s3cret',
      transport: 'sse',
      headers: { 'x-one': '1', 'x-two': '2: 3' },
      maxMessage: 64 * 1024 * 1024,
      maxDepth: 128,
    })
    await remote.client.close()
  })

  it.each([
    [
      ['https://a/', '--header', 's3cret'],
      '--header: expected a name, a colon and a value: --header "NAME: VALUE"',
    ],
    [['https://a/', '--header', 'a: s3cret', '--header', 'a: 2'], '--header: a is given twice'],
    [['https://a/', '--header', 'a b: s3cret'], '--header: "a b" is no name of a header'],
    [
      ['https://a/', '--transport', 'see'],
      '--transport: "see" is none of auto, modern, streamable-http, sse; did you mean sse?',
    ],
    [['https://a/', '--ca', '/none/ca.pem'], '--ca: /none/ca.pem cannot be read (ENOENT)'],
    [
      ['https://a/', '--proxy', 'socks5://me:s3cret@a'],
      '--proxy: socks5 proxies are not supported, only http and https',
    ],
    [['https://a/', '--cwd', '/'], '--cwd is for a command; what is at a URL runs already'],
    [['https://a/', '--', 'node'], 'An address is served alone, without a command'],
    [['https://a/', 'https://b/'], 'An address is served alone, without a command'],
    [['wss://a/'], 'wss://a/: only http, https and http+unix addresses can be reached'],
    [['socket:/s', '--header', 'a: s3cret'], '--header is for a server at a URL, not for socket:/s'],
    [['--ca', 'x', '--', 'node'], '--ca is for a server at a URL, not for a command'],
    [['tcp://nowhere'], '"nowhere" is no address; write for example 127.0.0.1:4000 or [::1]:4000'],
    [['node', 'server.js'], 'Put -- before the command: anyport serve [options] -- node server.js'],
    [[], 'What is to be served? Write: anyport serve -- COMMAND [ARGS...]'],
  ])('is refused for %j', async (argv, message) => {
    const error = await target(...argv).catch(error => error)
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toBe(message)
  })

  it('is refused where a file holds no certificate, naming the option', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anyport-target-'))
    const file = join(folder, 'ca.pem')
    writeFileSync(file, 'nothing')
    const refused = (...options: string[]) => target('https://a/', ...options).catch(error => error.message)
    expect(await refused('--ca', file)).toBe('--ca: no certificate in PEM (-----BEGIN CERTIFICATE-----)')
    expect(await refused('--cert', file)).toBe('--cert: needs its private key (key)')
    rmSync(folder, { recursive: true })
  })
})

describe('anyport connect', () => {
  it.each([
    [[], 'Where to? Write: anyport connect https://mcp.example.com/mcp'],
    [['mcp.example'], '"mcp.example" is no URL; write for example https://mcp.example.com/mcp'],
    [['https://a/', 'https://b/'], 'connect takes one address, not 2'],
    [
      ['--', 'node'],
      'connect leads to what runs already; to start a server: anyport serve --stdio -- COMMAND',
    ],
    [['--port', '1', 'https://a/'], 'Unknown option --port; did you mean --cert?'],
  ])('refuses %j', async (argv, message) => {
    const error = await (async () => connectCommand(argv))().catch(error => error)
    expect(error).toBeInstanceOf(UsageError)
    expect(error.message).toBe(message)
  })

  it('has no option that serve does not have', () => {
    for (const [name, option] of Object.entries(CONNECT_OPTIONS))
      expect([name, option]).toEqual([name, (SERVE_OPTIONS as Record<string, unknown>)[name]])
  })
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** What `anyport advise` says is done as it says it, and the server is called as the client would. */

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runAnyport, stopAll } from '../fixtures/run-anyport.js'
import { ANYPORT } from './start-anyport.js'

const ECHO = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]

let home = ''
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-advise-')))
  mkdirSync(join(home, 'run'), { mode: 0o700 })
})
afterEach(async () => {
  anyport(['stop', '--all'])
  await stopAll()
  rmSync(home, { recursive: true, force: true })
})

it('prints its usage where nobody can be asked', () => {
  const { status, stdout, stderr } = anyport(['advise'])
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain('Usage: anyport advise')
})

it('stdio: the client starts what its file says', async () => {
  const { transport, client } = advice('--runs local --users me --client claude-desktop', ECHO)
  expect(transport).toBe('stdio')
  await startedByClient(written(client))
})

it('stdio shared by the clients of a machine', async () => {
  const { transport, client } = advice(
    '--runs local --users me --many-clients --client cursor --installed',
    ECHO,
  )
  expect(transport).toBe('shared-stdio')
  await startedByClient(written(client))
})

it('HTTP on this machine, for a client that starts no programs', async () => {
  const { transport, steps } = advice('--runs local --users me --client-speaks sse', ECHO)
  expect(transport).toBe('http-sse')
  const { sse } = await started(steps)
  await calls(new SSEClientTransport(new URL(sse)))
})

it.each(['cursor', 'claude-desktop'])(
  'a machine of its own, for %s: a key lets in, nothing else does',
  async id => {
    const { transport, steps, client } = advice(
      `--runs remote --users team --state --client ${id} --installed --name echo`,
      ECHO,
    )
    expect(transport).toBe('streamable-http')
    const key = anyport(steps[0].command.slice(1)).stdout.trim()
    const { url } = await started(steps.slice(1))
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    const entry = written(client)
    if (id === 'cursor') {
      expect(entry).toEqual({
        url: 'https://mcp.example.com/mcp',
        headers: { Authorization: 'Bearer ${env:ECHO_KEY}' },
      })
      const headers = { Authorization: `Bearer ${key}` }
      await calls(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
    } else {
      const args = (entry.args as string[]).map(word => word.replace('https://mcp.example.com/mcp', url))
      await startedByClient({ command: entry.command, args }, { ECHO_KEY: key })
    }
  },
)

it('a client that starts programs only is led to an address', async () => {
  const server = runAnyport('serve', '--port', '0', '--log-format', 'json', '--', ...ECHO)
  const { url } = await server.event('listening')
  const { transport, client } = adviceOf([
    ...'--client claude-desktop --installed --name echo'.split(' '),
    url as string,
  ])
  expect(transport).toBe('stdio')
  await startedByClient(written(client))
})

interface Told {
  readonly transport: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON as it came
  readonly steps: any[]
  readonly client: { readonly file: string; readonly text: string; readonly add: readonly string[] }
}

interface Entry {
  readonly command: string
  readonly args: readonly string[]
}

function advice(line: string, command: readonly string[]): Told {
  return adviceOf([...line.split(' '), '--', ...command])
}

function adviceOf(words: readonly string[]): Told {
  const { status, stdout, stderr } = anyport(['advise', '--json', ...words])
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

/** Done as it is said: the file has then what was shown. */
function written({ add, file, text }: Told['client']): Entry & Readonly<Record<string, unknown>> {
  const { status, stderr } = anyport(add.slice(1))
  expect(status, stderr).toBe(0)
  const there = readFileSync(file, 'utf8')
  expect(JSON.parse(there)).toEqual(JSON.parse(text))
  return Object.values(JSON.parse(there).mcpServers)[0] as Entry & Readonly<Record<string, unknown>>
}

/** The last step, on a port that is free here. */
async function started(steps: Told['steps']): Promise<{ readonly url: string; readonly sse: string }> {
  const words: string[] = steps.at(-1).command.slice(1)
  const given = words.map((word, index) => {
    if (words[index - 1] === '--port') return '0'
    return words[index - 1] === '--keys' ? keyFile() : word
  })
  const run = runAnyport(...given.toSpliced(1, 0, '--log-format', 'json'))
  const { url } = await run.event('listening')
  const { port } = new URL(url as string)
  return { url: `http://127.0.0.1:${port}/mcp`, sse: `http://127.0.0.1:${port}/sse` }
}

function keyFile(): string {
  return join(home, 'state', 'anyport', 'keys.json')
}

async function startedByClient({ command, args }: Entry, more: Record<string, string> = {}): Promise<void> {
  await calls(
    new StdioClientTransport({
      command,
      args: [...args],
      env: { ...environment(), ...more },
      stderr: 'ignore',
    }),
  )
}

async function calls(transport: Transport): Promise<void> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport)
  const { tools } = await client.listTools()
  expect(tools.length).toBeGreaterThan(0)
  await client.close()
}

function environment(): Record<string, string> {
  return {
    PATH: process.env.PATH as string,
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_CACHE_HOME: join(home, 'cache'),
  }
}

function anyport(words: readonly string[]) {
  return spawnSync(process.execPath, [ANYPORT, ...words], {
    encoding: 'utf8',
    cwd: home,
    env: environment(),
    input: '',
    timeout: 30_000,
  })
}

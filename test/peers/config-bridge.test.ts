// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
/** What is written for a client that cannot reach a server works: started as the client starts it, by an official SDK. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { jsoncSyntax } from '../../src/config/jsonc-syntax.js'
import { nodeAt, type Syntax, toPlain } from '../../src/config/source.js'
import { tomlSyntax } from '../../src/config/toml-syntax.js'
import { yamlSyntax } from '../../src/config/yaml-syntax.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { everythingHandler } from '../fixtures/everything-handler.js'
import { httpFront } from '../fixtures/http-front.js'
import { ANYPORT } from './start-anyport.js'

const LIMIT = 60_000

let home = ''
let server: Server
const ends: (() => unknown)[] = []

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-bridge-')))
  server = await serve(everythingHandler().handler, { port: 0 })
  ends.push(
    () => server.close({ drainTimeout: 0 }),
    () => rmSync(home, { recursive: true, force: true }),
  )
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Entry {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly envs?: Readonly<Record<string, string>>
  readonly env_vars?: readonly string[]
  readonly env_keys?: readonly string[]
}

it.each([
  ['claude-desktop', '.config/Claude/claude_desktop_config.json', jsoncSyntax, 'mcpServers', 'http'],
  ['claude-desktop', '.config/Claude/claude_desktop_config.json', jsoncSyntax, 'mcpServers', 'sse'],
  ['codex', '.codex/config.toml', tomlSyntax, 'mcp_servers', 'sse'],
  ['goose', '.config/goose/config.yaml', yamlSyntax, 'extensions', 'sse'],
  ['zed', '.config/zed/settings.json', jsoncSyntax, 'context_servers', 'sse'],
] as const)('%s, %s', async (client, file, syntax: Syntax, root, kind) => {
  const front = await httpFront(server.url as string)
  ends.push(() => front.close())
  const address = new URL(kind === 'sse' ? (server.sseUrl as string) : (server.url as string))
  address.port = String(front.port)
  mkdirSync(join(home, 'here'))
  execFileSync(
    process.execPath,
    [
      ANYPORT,
      'config',
      'add',
      'far',
      address.href,
      '--client',
      client,
      '--installed',
      '--transport',
      kind === 'sse' ? 'sse' : 'auto',
      '--header',
      'Authorization: Bearer given-by-hand',
      '--header',
      'X-Team: core',
    ],
    {
      cwd: join(home, 'here'),
      env: { ...process.env, HOME: home },
      timeout: LIMIT,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const text = readFileSync(join(home, file), 'utf8')
  const written = toPlain(nodeAt(syntax.parse(text), [root, 'far']) as never) as unknown as Entry & {
    readonly cmd?: string
  }
  const entry = { ...written, command: written.command ?? written.cmd }
  // Others can see command lines.
  expect(entry.args.join(' ')).not.toContain('given-by-hand')

  const peer = new Client({ name: 'desktop', version: '1' })
  ends.push(() => peer.close())
  await peer.connect(
    new StdioClientTransport({
      command: entry.command,
      args: [...entry.args],
      env: { ...(entry.env ?? entry.envs) },
      stderr: 'ignore',
    }),
    { timeout: LIMIT },
  )
  const { tools } = await peer.listTools(undefined, { timeout: LIMIT })
  expect(tools.length).toBeGreaterThan(0)
  expect(new Set(front.seen.map(({ headers }) => headers.authorization))).toEqual(
    new Set(['Bearer given-by-hand']),
  )
  expect(new Set(front.seen.map(({ headers }) => headers['x-team']))).toEqual(new Set(['core']))
})

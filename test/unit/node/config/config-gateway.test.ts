import { randomUUID } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ServerEntry } from '../../../../src/config/server-entry.js'
import {
  type ConfigEvent,
  type ConfigGateway,
  type ConfigGatewayOptions,
  configGateway,
} from '../../../../src/node/config/config-gateway.js'
import { serverOf } from '../../../../src/node/config/config-servers.js'
import { listed } from '../../../fixtures/listing-server.js'
import { modernRequest } from '../../../fixtures/modern-request.js'
import { markedProcesses } from '../marked-processes.js'

const ECHO = fileURLToPath(new URL('../../../fixtures/echo-server.mjs', import.meta.url))

/** Milliseconds of edits; `npm run edits` makes it longer. */
const EDITING = Number(process.env.EDIT_SECONDS ?? 3) * 1_000

let folder: string
let file: string
let mark: string
const open: ConfigGateway[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-config-'))
  file = join(folder, 'mcp.json')
  mark = randomUUID()
})

afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  expect(markedProcesses(mark)).toEqual([])
  rmSync(folder, { recursive: true, force: true })
})

/** An entry that runs the echo server, found again by its own mark. */
const echo = (name: string, more: object = {}) => ({
  command: process.execPath,
  args: [ECHO],
  env: { MCP_TEST_MARK: `${mark}-${name}` },
  ...more,
})
const pidsOf = (name: string) => markedProcesses(`${mark}-${name}`)

const write = (servers: object, more: object = {}) =>
  writeFileSync(file, JSON.stringify({ mcpServers: servers, ...more }))

async function opened(options: Partial<ConfigGatewayOptions> = {}) {
  const events: ConfigEvent[] = []
  const config = await configGateway({
    load: { file },
    watch: { quiet: 20, interval: 200 },
    drainTimeout: 500,
    onConfig: event => events.push(event),
    ...options,
  })
  open.push(config)
  const names = async () => {
    const tools = listed(await modernRequest(config.gateway.handler, 'tools/list'))
    return [...new Set(tools.map(({ name }) => String(name).replace(/__.*$/, '')))]
  }
  return { config, events, names }
}

describe('a gateway that follows a file', () => {
  it('starts what is new, ends what is gone, restarts what has changed, and leaves the rest alone', async () => {
    write({ kept: echo('kept'), changed: echo('changed'), gone: echo('gone') })
    const { events, names } = await opened()
    expect(await names()).toEqual(['changed', 'gone', 'kept'])
    const before = { kept: pidsOf('kept'), changed: pidsOf('changed') }
    write({ changed: echo('changed', { args: [ECHO, '--again'] }), kept: echo('kept'), added: echo('added') })
    // The first writing may be told of as well, late; then nothing differs.
    const applied = () => events.find(event => event.type === 'config-applied' && event.replaced.length > 0)
    await expect.poll(applied, { timeout: 10_000 }).toMatchObject({
      type: 'config-applied',
      added: ['added'],
      replaced: ['changed'],
      removed: ['gone'],
      needsRestart: false,
    })
    expect(await names()).toEqual(['added', 'changed', 'kept'])
    await expect.poll(() => pidsOf('gone'), { timeout: 10_000 }).toEqual([])
    await expect
      .poll(() => before.changed.some(pid => pidsOf('changed').includes(pid)), { timeout: 10_000 })
      .toBe(false)
    expect(pidsOf('kept')).toEqual(before.kept)
  }, 30_000)

  it('follows a file that another one replaces', async () => {
    write({ a: echo('a') })
    const { names } = await opened()
    for (const name of ['b', 'c']) {
      const other = join(folder, 'other.json')
      writeFileSync(other, JSON.stringify({ mcpServers: { [name]: echo(name) } }))
      renameSync(other, file)
      await expect.poll(() => names(), { timeout: 10_000 }).toEqual([name])
    }
  }, 30_000)

  it('keeps what it has while the file is broken, and says so', async () => {
    write({ a: echo('a') })
    const { names, events, config } = await opened()
    await names()
    const pids = pidsOf('a')
    for (const broken of ['{ "mcpServers": {', '{ "mcpServers": { "a": { "args": [] } } }']) {
      const seen = events.length
      writeFileSync(file, broken)
      await expect.poll(() => events.length, { timeout: 10_000 }).toBeGreaterThan(seen)
      expect(events.at(-1)).toMatchObject({ type: 'config-broken', file })
    }
    rmSync(file)
    await expect
      .poll(() => (events.at(-1) as { error?: Error }).error?.message, { timeout: 10_000 })
      .toContain('does not exist')
    expect(await names()).toEqual(['a'])
    expect(pidsOf('a')).toEqual(pids)
    write({ a: echo('a'), b: echo('b') })
    await expect.poll(() => names(), { timeout: 10_000 }).toEqual(['a', 'b'])
    expect(pidsOf('a')).toEqual(pids)
    expect(config.config().servers).toHaveLength(2)
  }, 30_000)

  it('says of settings of the gateway itself that they wait', async () => {
    write({ a: echo('a') })
    const { events } = await opened()
    write({ a: echo('a') }, { anyport: { style: 'none' } })
    await expect.poll(() => events.at(-1), { timeout: 10_000 }).toMatchObject({ needsRestart: true })
  }, 20_000)

  it('reads it again when told, and not by itself where it must not', async () => {
    write({ a: echo('a') })
    const { names, config, events } = await opened({ watch: false })
    write({ b: echo('b') })
    await new Promise(resolve => setTimeout(resolve, 400))
    expect(events).toHaveLength(1)
    await Promise.all([config.reload(), config.reload(), config.reload()])
    expect(await names()).toEqual(['b'])
    expect(events).toHaveLength(2)
  })

  it(
    'lets twenty edits a second pass by without an error of an untouched server',
    async () => {
      write({ kept: echo('kept') })
      const { config, events } = await opened({ watch: { quiet: 30, atMost: 150, interval: 200 } })
      const call = () =>
        modernRequest(config.gateway.handler, 'tools/call', { name: 'kept__echo', arguments: { value: 'x' } })
      expect((await call()).error).toBeUndefined()
      const pids = pidsOf('kept')
      let edits = 0
      const failures: unknown[] = []
      const writer = setInterval(() => {
        edits++
        // Some of them are caught half-written.
        if (edits % 3 === 0) writeFileSync(file, '{ "mcpServers": ')
        else
          write({
            kept: echo('kept'),
            ...(edits % 2 === 0 ? { other: echo('other', { args: [ECHO, `${edits}`] }) } : {}),
          })
      }, 50)
      let calls = 0
      for (const end = performance.now() + EDITING; performance.now() < end; calls++) {
        const { error } = await call()
        if (error !== undefined) failures.push(error)
        await new Promise(resolve => setTimeout(resolve, 2))
      }
      clearInterval(writer)
      expect(failures).toEqual([])
      expect(calls).toBeGreaterThan(50)
      expect(events.length).toBeGreaterThan(3)
      expect(pidsOf('kept')).toEqual(pids)
    },
    EDITING + 30_000,
  )

  it('refuses a file that cannot be used at first', async () => {
    writeFileSync(file, '{ "mcpServers": ')
    await expect(configGateway({ load: { file } })).rejects.toThrow(/mcp\.json:1/)
    await expect(configGateway({ load: { file: join(folder, 'none.json') } })).rejects.toThrow(TypeError)
  })
})

describe('an entry as a server', () => {
  const of = (entry: Partial<ServerEntry>) =>
    serverOf(
      { name: 'a', server: { kind: 'stdio', command: 'x', args: [], env: {} }, ...entry },
      { file: '/folder/mcp.json', limits: { maxDepth: 7 } },
    )

  it('has the rules that the entry sets', () => {
    const server = of({
      timeouts: { start: 1, call: 2 },
      tools: { allow: ['a*'], deny: ['b'] },
      settings: {
        protocol: 'legacy',
        isolation: 'session',
        lazy: true,
        timeout: 3,
        maxChildren: 4,
        prefix: false,
        rename: { x: 'y' },
        describe: { x: 'z' },
        allow: ['c*'],
        deny: ['d'],
      },
    })
    expect(server).toMatchObject({
      startTimeout: 1,
      timeout: 3,
      protocol: 'legacy',
      isolation: 'session',
      warm: false,
      maxConnections: 4,
      prefix: '',
      tools: { allow: ['c*'], deny: ['b', 'd'], rename: { x: 'y' }, describe: { x: 'z' } },
    })
    expect(of({ tools: { allow: ['a*'] } }).tools).toEqual({ allow: ['a*'], deny: [] })
  })

  it('goes by its name, at an address too', () => {
    expect(of({}).target).toMatchObject({ name: 'a' })
    const url = 'https://example.com/mcp?token=secret'
    // Its value came from the file: it is no reference any more.
    const headers = { authorization: `secret ${'$'}{X}` }
    const { target } = of({
      server: { kind: 'remote', url, transport: 'sse', headers },
    })
    expect(target).toMatchObject({ name: 'a', remote: { url, transport: 'sse', maxDepth: 7, headers } })
    expect((target as { identity: string }).identity).not.toContain('secret')
    expect(() => of({ server: { kind: 'remote', url: 'ftp://x', transport: 'auto', headers: {} } })).toThrow(
      TypeError,
    )
    expect(() => of({ server: { kind: 'stdio', command: '', args: [], env: {} } })).toThrow(TypeError)
  })
})

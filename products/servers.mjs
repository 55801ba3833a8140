/** A gateway over ten servers from npm, to clients of both eras, while its servers are killed. */

import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { emptyHome, serveAt } from './anyport-at-work.mjs'

const KILL_INTERVAL = 2_500
const CALL_LIMIT = 60_000
const END_LIMIT = 10_000

/** Programs with arguments, and a call of each that needs neither the network nor a browser, with what shows whose answer it is. */
const SERVERS = {
  everything: [
    '@modelcontextprotocol/server-everything/dist/index.js',
    ['stdio'],
    'echo',
    { message: 'hi' },
    /Echo: hi/,
  ],
  filesystem: [
    '@modelcontextprotocol/server-filesystem/dist/index.js',
    ['.'],
    'list_allowed_directories',
    {},
    /Allowed/,
  ],
  memory: ['@modelcontextprotocol/server-memory/dist/index.js', [], 'read_graph', {}, /entities/],
  thinking: [
    '@modelcontextprotocol/server-sequential-thinking/dist/index.js',
    [],
    'sequentialthinking',
    { thought: 'a', nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 },
    /thoughtNumber/,
  ],
  context7: [
    '@upstash/context7-mcp/dist/index.js',
    [],
    'resolve-library-id',
    {},
    /libraryName|query|invalid/i,
  ],
  playwright: [
    '@playwright/mcp/cli.js',
    ['--headless', '--isolated'],
    'browser_close',
    {},
    /tab|page|closed|Chromium/i,
  ],
  devtools: [
    'chrome-devtools-mcp/build/src/bin/chrome-devtools-mcp.js',
    ['--headless', '--isolated', '--no-usage-statistics'],
    'click',
    {},
    /uid|invalid/i,
  ],
  notion: ['@notionhq/notion-mcp-server/bin/cli.mjs', [], 'API-get-self', {}, /error|fail|token|connect/i],
  git: [
    '@cyanheads/git-mcp-server/dist/index.js',
    [],
    'git_status',
    { path: '/' },
    /git|repository|session/i,
  ],
  charts: ['@antv/mcp-server-chart/build/index.js', [], 'generate_bar_chart', {}, /generate chart|invalid/i],
}

/** Resolves with what failed. */
export async function tryServers({ node, anyport, module, seconds }) {
  const home = emptyHome()
  const marks = Object.fromEntries(Object.keys(SERVERS).map(name => [name, randomUUID()]))
  const file = join(home.folder, 'mcp.json')
  writeFileSync(file, configuration({ node, module, home, marks }))
  const server = await serveAt(anyport, ['--config', file], home)
  const failures = []
  try {
    const clients = { legacy: await legacy(server.url), modern: await modern(server.url) }
    for (const [era, client] of Object.entries(clients)) {
      const counts = await listed(client)
      console.log(
        `${era}: ${Object.entries(counts)
          .map(([name, count]) => `${name} ${count}`)
          .join(', ')}`,
      )
      for (const name of Object.keys(SERVERS)) if (!counts[name]) failures.push(`${era}: no tools of ${name}`)
      for (const name of Object.keys(SERVERS)) {
        const outcome = await call(client, name)
        if (!SERVERS[name][4].test(outcome)) failures.push(`${era}: ${name} says ${outcome.slice(0, 300)}`)
      }
    }
    if (failures.length === 0) failures.push(...(await underKills(clients, marks, seconds)))
    for (const client of Object.values(clients)) await client.close()
  } finally {
    await server.stop()
  }
  // What a server detaches from itself, such as a look for updates, ends a little later.
  const end = performance.now() + END_LIMIT
  const left = () => Object.keys(marks).filter(name => marked(marks[name]).length > 0)
  while (left().length > 0 && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 100))
  failures.push(...left().map(name => `${name} is left behind`))
  home.remove()
  return failures
}

function configuration({ node, module, home, marks }) {
  const servers = Object.entries(SERVERS).map(([name, [program, args]]) => [
    name,
    {
      command: node,
      args: [module(program), ...args],
      cwd: home.folder,
      env: { ...home.env, MCP_TEST_MARK: marks[name] },
    },
  ])
  return JSON.stringify({ mcpServers: Object.fromEntries(servers), anyport: { listTimeout: '40s' } }, null, 2)
}

const INFO = { name: 'products', version: '1' }

async function legacy(url) {
  const client = new LegacyClient(INFO)
  await client.connect(new LegacyTransport(new URL(url)))
  return client
}

async function modern(url) {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return client
}

/** How many tools of each server there are. */
async function listed(client) {
  const counts = {}
  let cursor
  do {
    const page = await client.listTools(cursor === undefined ? undefined : { cursor })
    for (const { name } of page.tools) {
      const server = name.slice(0, name.indexOf('__'))
      counts[server] = (counts[server] ?? 0) + 1
    }
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return counts
}

/** The outcome in words, whatever it is. */
async function call(client, name) {
  const [, , tool, parameters] = SERVERS[name]
  const options = { timeout: CALL_LIMIT }
  const request = { name: `${name}__${tool}`, arguments: parameters }
  const calling =
    client instanceof LegacyClient
      ? client.callTool(request, undefined, options)
      : client.callTool(request, options)
  return await calling.then(
    ({ content }) => JSON.stringify(content),
    error => `Error: ${error.message}`,
  )
}

/** A call may fail only if its own server was killed meanwhile. */
async function underKills(clients, marks, seconds) {
  const end = performance.now() + seconds * 1000
  const names = Object.keys(SERVERS)
  const killed = Object.fromEntries(names.map(name => [name, []]))
  const failures = []
  const counts = { calls: 0, kills: 0, excused: 0, lists: 0 }
  const killing = (async () => {
    for (let turn = 0; performance.now() < end; turn++) {
      await new Promise(resolve => setTimeout(resolve, KILL_INTERVAL))
      const name = names[(turn * 7) % names.length]
      killed[name].push(performance.now())
      for (const pid of marked(marks[name])) {
        process.kill(pid, 'SIGKILL')
        counts.kills++
      }
    }
  })()
  const callers = Object.entries(clients).flatMap(([era, client]) => [
    ...names.map(async name => {
      while (performance.now() < end) {
        const began = performance.now()
        const outcome = await call(client, name)
        counts.calls++
        if (!SERVERS[name][4].test(outcome) || outcome.startsWith('Error: Unknown')) {
          if (killed[name].some(at => at >= began - 100)) counts.excused++
          else failures.push(`${era}: ${name} says ${outcome.slice(0, 300)}`)
        }
        await new Promise(resolve => setTimeout(resolve, 100))
      }
    }),
    (async () => {
      while (performance.now() < end) {
        const found = await listed(client)
        counts.lists++
        for (const name of names) if (!found[name]) failures.push(`${era}: a list without ${name}`)
        await new Promise(resolve => setTimeout(resolve, 500))
      }
    })(),
  ])
  await Promise.all([killing, ...callers])
  console.log(
    `${seconds} s: ${counts.calls} calls, ${counts.lists} lists, ${counts.kills} kills, ${counts.excused} calls of killed servers failed`,
  )
  return failures
}

/** The processes whose environment carries the mark (Linux). */
function marked(mark) {
  return readdirSync('/proc').flatMap(name => {
    if (!/^\d+$/.test(name)) return []
    try {
      return readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

/** The products, how each is started, and how it is spoken to. A lane is one product in one era. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const node = process.execPath
const ECHO = fileURLToPath(new URL('echo-server.mjs', import.meta.url))
const ANYPORT = fileURLToPath(new URL('../dist/bin/anyport.js', import.meta.url))
const SUPERGATEWAY = fileURLToPath(new URL('../node_modules/supergateway/dist/index.js', import.meta.url))
const MCP_PROXY = fileURLToPath(new URL('../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs', import.meta.url))
const FORWARDER = fileURLToPath(new URL('forwarder.mjs', import.meta.url))
const MCP_REMOTE = fileURLToPath(new URL('../node_modules/mcp-remote/dist/proxy.js', import.meta.url))
const REMOTE_FORWARDER = fileURLToPath(new URL('remote-forwarder.mjs', import.meta.url))
const REMOTE = fileURLToPath(new URL('http-echo-server.mjs', import.meta.url))
const SDK_SERVER = fileURLToPath(new URL('sdk-server.mjs', import.meta.url))
const RAW = fileURLToPath(new URL('raw-server.mjs', import.meta.url))

/**
 * - `era`: what the client speaks; `plain` needs no opening.
 * - `announces`: takes port 0 and prints a JSON line with its URL on stderr.
 * - `sharedSession`: one session for all connections, for a product that starts a child for each session.
 * - `sessions`, `streams`: how many the memory measure opens.
 * - `remote`: leads to `REMOTE_SERVER`, which runs already.
 * - `pipe`: is spoken to on stdin and stdout.
 * - `env`: variables for it.
 * - `cell`: runs only when `--cells` has it, or when `--only` names the lane.
 * - `headers`: a function that gives header lines for each request, once it is launched.
 * - `own`: what it is compared to.
 * - `broadcasts`: a list change of the server is expected on every idle stream.
 */
const lanes = [
  {
    name: 'raw',
    product: 'raw',
    era: 'plain',
    announces: true,
    sessions: 0,
    streams: 2000,
    launch: port => ({ command: node, args: [RAW, '--port', `${port}`] }),
  },
  {
    name: 'forwarder',
    product: 'forwarder',
    era: 'plain',
    announces: true,
    sessions: 0,
    streams: 2000,
    launch: port => ({ command: node, args: [FORWARDER, '--port', `${port}`, '--', node, ECHO] }),
  },
  // The same forwarder, handed the requests that a modern client sends: more bytes and more headers, and nothing it looks at.
  {
    name: 'forwarder-modern',
    product: 'forwarder',
    era: 'modern',
    announces: true,
    sessions: 0,
    streams: 0,
    launch: port => ({ command: node, args: [FORWARDER, '--port', `${port}`, '--', node, ECHO] }),
  },
  anyport('anyport-legacy', 'legacy', 'legacy'),
  anyport('anyport-modern', 'modern', 'modern'),
  { ...anyport('anyport-l-to-m', 'legacy', 'modern'), cell: 'crossing' },
  { ...anyport('anyport-m-to-l', 'modern', 'legacy'), cell: 'crossing' },
  guarded('guarded-legacy', 'legacy'),
  guarded('guarded-modern', 'modern'),
  supergateway('supergateway', 'legacy'),
  mcpProxy('mcp-proxy', 'legacy'),
  { ...supergateway('supergateway-modern', 'modern'), cell: 'modern-peers' },
  { ...mcpProxy('mcp-proxy-modern', 'modern'), cell: 'modern-peers' },
  // Servers in one process with what serves them: the SDK itself, or anyport. `own` is what a lane is compared to.
  inProcess('sdk-v1', 'legacy', ['v1', '--by', 'sdk']),
  inProcess('sdk-v1-json', 'legacy', ['v1', '--by', 'sdk', '--json']),
  inProcess('from-v1-legacy', 'legacy', ['v1', '--by', 'anyport'], 'sdk-v1-json'),
  inProcess('from-v1-modern', 'modern', ['v1', '--by', 'anyport'], 'sdk-v1-json'),
  inProcess('sdk-v2-legacy', 'legacy', ['v2', '--by', 'sdk', '--sessions', '--json']),
  inProcess('sdk-v2-modern', 'modern', ['v2', '--by', 'sdk']),
  inProcess('from-v2-legacy', 'legacy', ['v2', '--by', 'anyport'], 'sdk-v2-legacy'),
  inProcess('from-v2-modern', 'modern', ['v2', '--by', 'anyport'], 'sdk-v2-modern'),
  // Without a product between: what the hop of the others adds is the difference to this.
  remote('remote-direct', 'legacy', true, port => [REMOTE, '--port', `${port}`]),
  remote('http-forwarder', 'legacy', true, (port, url) => [REMOTE_FORWARDER, '--port', `${port}`, url]),
  remoteAnyport('anyport-http-legacy', 'legacy', true),
  remoteAnyport('anyport-http-modern', 'modern', true),
  remote('stdio-forwarder', 'legacy', false, (_port, url) => [REMOTE_FORWARDER, '--stdio', url]),
  remoteAnyport('anyport-stdio-legacy', 'legacy', false),
  remoteAnyport('anyport-stdio-modern', 'modern', false),
  {
    ...remote('mcp-remote', 'legacy', false, (_port, url) => [
      MCP_REMOTE,
      url,
      '--transport',
      'http-only',
      '--silent',
    ]),
    needs: MCP_REMOTE,
    // It keeps notes, by default in the home folder.
    env: { MCP_REMOTE_CONFIG_DIR: join(tmpdir(), 'anyport-bench-mcp-remote') },
  },
  {
    ...remote('supergateway-remote', 'legacy', false, (_port, url) => [
      ...[SUPERGATEWAY, '--streamableHttp', url, '--outputTransport', 'stdio', '--logLevel', 'none'],
    ]),
    product: 'supergateway',
    needs: SUPERGATEWAY,
  },
]

/** The server that the remote lanes lead to. */
export const REMOTE_SERVER = {
  name: 'remote server',
  announces: true,
  launch: port => ({ command: node, args: [REMOTE, '--port', `${port}`] }),
}

/** `own`: the SDK's way to serve the same, where this one is anyport's. */
function inProcess(name, era, argv, own) {
  return {
    name,
    product: own === undefined ? 'sdk' : 'anyport-sdk',
    era,
    own,
    announces: true,
    sessions: 0,
    streams: 0,
    cell: 'sdk',
    launch: () => ({ command: node, args: [SDK_SERVER, '--sdk', ...argv] }),
  }
}

/** `http`: spoken to on HTTP, otherwise on stdio. */
function remote(name, era, http, argsOf) {
  return {
    name,
    product: name,
    era,
    remote: true,
    announces: http,
    pipe: !http,
    sessions: 0,
    streams: 0,
    cell: 'remote',
    launch: (port, url) => ({ command: node, args: argsOf(port, url) }),
  }
}

function remoteAnyport(name, era, http) {
  const own = ['--log-format', 'json', '--protocol', era]
  const lane = remote(name, era, http, (port, url) =>
    http ? [ANYPORT, 'serve', '--port', `${port}`, ...own, url] : [ANYPORT, 'connect', ...own, url],
  )
  return { ...lane, product: 'anyport', needs: ANYPORT }
}

function anyport(name, era, serverEra) {
  return {
    name,
    product: 'anyport',
    era,
    needs: ANYPORT,
    announces: true,
    sessions: era === 'legacy' ? 1000 : 0,
    streams: 2000,
    broadcasts: true,
    launch: port => ({
      command: node,
      args: [
        ANYPORT,
        'serve',
        '--port',
        `${port}`,
        '--log-format',
        'json',
        '--',
        node,
        ECHO,
        '--era',
        serverEra,
      ],
    }),
  }
}

/** The same face with API keys, limits, rules and the audit log. */
function guarded(name, era) {
  const lane = anyport(name, era, era)
  return {
    ...lane,
    product: 'anyport-guarded',
    cell: 'guards',
    own: `anyport-${era}`,
    sessions: 0,
    streams: 0,
    headers: () => `Authorization: Bearer ${guards().key}\r\n`,
    launch: port => {
      const { command, args } = lane.launch(port)
      const program = args.indexOf('--')
      const audit = ['--audit', join(guards().folder, `${name}.jsonl`)]
      return {
        command,
        args: [...args.slice(0, program), ...guards().options, ...audit, ...args.slice(program)],
      }
    },
  }
}

let made

/** Its files are made once, and deleted at the end. */
function guards() {
  if (made !== undefined) return made
  const folder = mkdtempSync(join(tmpdir(), 'anyport-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const keys = join(folder, 'keys.json')
  const rules = join(folder, 'rules.json')
  const told = execFileSync(node, [ANYPORT, 'keys', 'create', 'bench', '--file', keys, '--json'])
  writeFileSync(
    rules,
    JSON.stringify({
      rules: [{ deny: { tools: ['delete_*'] } }, { allow: { tools: ['echo', 'blob', 'events'] } }],
    }),
  )
  made = {
    folder,
    key: JSON.parse(told.toString()).key,
    options: [
      ...['--keys', keys, '--rules', rules],
      ...['--rate-limit', 'principal=1000000/s', '--rate-limit', 'address+tool=1000000/s'],
      ...['--max-concurrent', '1000'],
    ],
  }
  return made
}

/** Starts a child for each session, so it gets few sessions, and one for all connections where requests are counted. */
function supergateway(name, era) {
  return {
    name,
    product: 'supergateway',
    era,
    needs: SUPERGATEWAY,
    sharedSession: true,
    sessions: era === 'legacy' ? 64 : 0,
    streams: 64,
    launch: port => ({
      command: node,
      args: [
        ...[
          SUPERGATEWAY,
          '--stdio',
          `'${node}' '${ECHO}' --era ${era}`,
          '--outputTransport',
          'streamableHttp',
          '--stateful',
        ],
        ...['--port', `${port}`, '--logLevel', 'none'],
      ],
    }),
  }
}

function mcpProxy(name, era) {
  const upstream = era === 'modern' ? ['--upstreamProtocol', 'modern'] : []
  return {
    name,
    product: 'mcp-proxy',
    era,
    needs: MCP_PROXY,
    sessions: era === 'legacy' ? 1000 : 0,
    // It takes 1024 modern ones, the warm-up's included.
    streams: era === 'legacy' ? 2000 : 900,
    broadcasts: true,
    launch: port => ({
      command: node,
      args: [
        ...[MCP_PROXY, '--host', '127.0.0.1', '--server', 'stream', '--port', `${port}`, ...upstream],
        ...['--', node, ECHO, '--era', era],
      ],
    }),
  }
}

/** What a lane's ratios are to: that without a product, and the plain one in its place. */
export function yardsticks(name) {
  const lane = lanes.find(lane => lane.name === name)
  if (lane?.own !== undefined) return { raw: 'raw', forwarder: lane.own }
  if (!lane?.remote)
    return { raw: 'raw', forwarder: lane?.era === 'modern' ? 'forwarder-modern' : 'forwarder' }
  return { raw: 'remote-direct', forwarder: lane.pipe ? 'stdio-forwarder' : 'http-forwarder' }
}

export const CELLS = ['crossing', 'guards', 'modern-peers', 'remote', 'sdk']

/** The lanes to run, and those left out because a file is missing. `only` names products or lanes. */
export function chooseLanes(only, cells) {
  const names = new Set(lanes.flatMap(({ name, product }) => [name, product]))
  for (const name of only)
    if (!names.has(name))
      throw new TypeError(`--only: no product ${name}; there are ${[...names].join(', ')}`)
  const chosen = []
  const skipped = []
  for (const lane of lanes) {
    const named = only.includes(lane.name)
    if (only.length > 0 && !named && !only.includes(lane.product)) continue
    if (lane.cell !== undefined && !cells.includes(lane.cell) && !named) continue
    if (lane.needs !== undefined && !existsSync(lane.needs))
      skipped.push({ name: lane.name, missing: lane.needs })
    else chosen.push(lane)
  }
  return { chosen, skipped }
}

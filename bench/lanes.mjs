/** The products, how each is started, and how it is spoken to. A lane is one product in one era. */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const node = process.execPath
const ECHO = fileURLToPath(new URL('echo-server.mjs', import.meta.url))
const ANYPORT = fileURLToPath(new URL('../dist/bin/anyport.js', import.meta.url))
const SUPERGATEWAY = fileURLToPath(new URL('../node_modules/supergateway/dist/index.js', import.meta.url))
const MCP_PROXY = fileURLToPath(new URL('../node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs', import.meta.url))
const FORWARDER = fileURLToPath(new URL('forwarder.mjs', import.meta.url))
const RAW = fileURLToPath(new URL('raw-server.mjs', import.meta.url))

/**
 * - `era`: what the client speaks; `plain` needs no opening.
 * - `announces`: takes port 0 and prints a JSON line with its URL on stderr.
 * - `sharedSession`: one session for all connections, for a product that starts a child for each session.
 * - `sessions`, `streams`: how many the memory measure opens.
 * - `cell`: runs only when `--cells` has it, or when `--only` names the lane.
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
  anyport('anyport-legacy', 'legacy', 'legacy'),
  anyport('anyport-modern', 'modern', 'modern'),
  { ...anyport('anyport-l-to-m', 'legacy', 'modern'), cell: 'crossing' },
  { ...anyport('anyport-m-to-l', 'modern', 'legacy'), cell: 'crossing' },
  supergateway('supergateway', 'legacy'),
  mcpProxy('mcp-proxy', 'legacy'),
  { ...supergateway('supergateway-modern', 'modern'), cell: 'modern-peers' },
  { ...mcpProxy('mcp-proxy-modern', 'modern'), cell: 'modern-peers' },
]

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

export const CELLS = ['crossing', 'modern-peers']

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

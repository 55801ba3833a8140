/** What `anyport serve` says once it listens. */

import type { Server } from '../node/serve-options.js'

export interface Announcement {
  readonly version: string
  /** What is served: the command line or address. */
  readonly serving: string
  readonly server: Pick<Server, 'url' | 'sseUrl' | 'dashboardUrl' | 'sockets' | 'fingerprint'>
  /** Names of the servers that are also served each alone. */
  readonly servers?: readonly string[] | undefined
  readonly colors: boolean
}

/** Where each transport listens, and a client configuration to paste. */
export function announcement({ version, serving, server, servers, colors }: Announcement): string {
  const paint = (code: string, text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text)
  const rows: (readonly [string, string, string])[] = []
  if (server.url !== undefined) rows.push(['Streamable HTTP', server.url, 'modern and legacy clients'])
  if (server.sseUrl !== undefined) rows.push(['HTTP+SSE', server.sseUrl, 'clients of 2024-11-05'])
  if (server.url !== undefined && servers !== undefined) {
    const { origin, pathname } = new URL(server.url)
    for (const name of servers.slice(0, MAX_SERVERS))
      rows.push(['One alone', `${origin}/servers/${encodeURIComponent(name)}${pathname}`, name])
    if (servers.length > MAX_SERVERS)
      rows.push(['One alone', '...', `and ${servers.length - MAX_SERVERS} more`])
  }
  if (server.dashboardUrl !== undefined)
    rows.push(['Dashboard', server.dashboardUrl, 'for people, in a browser'])
  for (const address of server.sockets) {
    rows.push([address.startsWith('socket:') ? 'Unix socket' : 'TCP', address, 'stdio framing'])
  }
  const width = Math.max(...rows.map(([, address]) => address.length))
  const lines = [
    '',
    `${paint('1', 'anyport')} ${version} serves ${paint('1', serving)}`,
    '',
    ...rows.map(
      ([name, address, who]) =>
        `  ${name.padEnd(16)} ${paint('36', address.padEnd(width))}   ${paint('2', who)}`,
    ),
  ]
  if (server.fingerprint !== undefined)
    lines.push('', `  ${'Certificate'.padEnd(16)} SHA-256 ${server.fingerprint}`)
  if (server.url !== undefined) {
    const configuration = {
      mcpServers: {
        [servers === undefined ? serverName(serving) : 'anyport']: { type: 'http', url: server.url },
      },
    }
    lines.push(
      '',
      'For your client:',
      '',
      ...JSON.stringify(configuration, undefined, 2)
        .split('\n')
        .map(line => `  ${line}`),
    )
  }
  return `${[...lines, '', paint('2', 'Ctrl+C stops it.'), ''].join('\n')}\n`
}

/** Lines that are still read. */
const MAX_SERVERS = 20

/** A short name for the configuration, from what looks most like a server's: `npx -y @scope/server-name` is `name`. */
export function serverName(serving: string): string {
  const host = /^https?:\/\/(?:\[[^\]]*\]|([^/:?]*))/.exec(serving)
  if (host !== null) return nameOfHost(host[1] ?? '')
  const words = serving
    .split(/\s+/)
    .filter(word => /[A-Za-z]/.test(word) && !word.startsWith('-') && !word.includes('='))
  const launchers =
    /^(npx|npm|pnpm|pnpx|yarn|bunx?|deno|node|uvx?|uv|python[\d.]*|pipx|docker|run|exec|dlx|tsx|sh|env)$/
  const candidate =
    words
      .map(word => word.replace(/\\/g, '/').replace(/\/+$/, '').split('/').at(-1) as string)
      .find(word => !launchers.test(word)) ?? ''
  const name = candidate
    .replace(/@[^@]*$/, '')
    .replace(/\.(m?[jt]s|c[jt]s|py|exe|sock|jar)$/i, '')
    .replace(/^(mcp[-_])?server[-_]|[-_](mcp[-_]server|server[-_]mcp|server|mcp)$|^mcp[-_]/gi, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return /[A-Za-z]/.test(name) ? name : 'anyport'
}

/** `mcp.example.com` and `api.example.com` are `example`. */
function nameOfHost(host: string): string {
  const labels = host.split('.').slice(0, -1)
  const name = labels.find(label => !/^(mcp|api|www|app|\d+)$/.test(label))
  return name === undefined || !/^[A-Za-z0-9_-]+$/.test(name) ? 'anyport' : name
}

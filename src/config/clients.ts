/** Every client whose configuration is read and written, and which one a file belongs to. */

import type { Client } from './client.js'
import { amp } from './clients/amp.js'
import { antigravity } from './clients/antigravity.js'
import { anyport } from './clients/anyport.js'
import { claudeCode } from './clients/claude-code.js'
import { claudeDesktop } from './clients/claude-desktop.js'
import { cline } from './clients/cline.js'
import { codex } from './clients/codex.js'
import { continueDev } from './clients/continue.js'
import { copilotCli } from './clients/copilot-cli.js'
import { copilotJetbrains } from './clients/copilot-jetbrains.js'
import { crush } from './clients/crush.js'
import { cursor } from './clients/cursor.js'
import { factory } from './clients/factory.js'
import { gemini } from './clients/gemini.js'
import { goose } from './clients/goose.js'
import { kiro } from './clients/kiro.js'
import { lmStudio } from './clients/lm-studio.js'
import { opencode, opencode2 } from './clients/opencode.js'
import { roo } from './clients/roo.js'
import { vscode } from './clients/vscode.js'
import { windsurf } from './clients/windsurf.js'
import { zed } from './clients/zed.js'
import { nodeAt, type ServersPlace, type SourceNode } from './source.js'

export const CLIENTS: readonly Client[] = [
  anyport,
  claudeDesktop,
  claudeCode,
  vscode,
  copilotCli,
  copilotJetbrains,
  cursor,
  windsurf,
  cline,
  roo,
  codex,
  gemini,
  antigravity,
  opencode,
  opencode2,
  zed,
  goose,
  continueDev,
  kiro,
  amp,
  crush,
  factory,
  lmStudio,
]

export function clientNamed(id: string): Client | undefined {
  return CLIENTS.find(client => client.id === id)
}

/** The client that a file belongs to, by its place and then by what it holds; undefined where neither tells. */
export function detectClient(file: string, root: SourceNode | undefined): Client | undefined {
  const path = file.replaceAll('\\', '/')
  const known = CLIENTS.find(
    client => !client.universal && endings(client).some(ending => path.endsWith(ending)),
  )
  // One file name, two major versions.
  if (known === opencode && placeOfServers(opencode2, root) !== undefined) return opencode2
  if (known !== undefined) return known
  const has = (...way: readonly string[]) => nodeAt(root, way)?.kind === 'map'
  if (/\.toml$/i.test(path)) return has('mcp_servers') ? codex : undefined
  if (/\.ya?ml$/i.test(path)) {
    if (has('extensions')) return goose
    if (nodeAt(root, ['mcpServers'])?.kind === 'list') return continueDev
    return has('mcpServers') ? anyport : undefined
  }
  if (has('mcpServers')) return anyport
  if (has('amp.mcpServers')) return amp
  if (has('context_servers')) return zed
  if (has('servers')) return vscode
  if (has('mcp', 'servers')) return looksLikeOpenCode(nodeAt(root, ['mcp', 'servers'])) ? opencode2 : vscode
  if (has('mcp')) return looksLikeOpenCode(nodeAt(root, ['mcp'])) ? opencode : crush
  if (has('customizations', 'vscode', 'mcp', 'servers')) return vscode
  return undefined
}

/** The place of a client's servers that the file has. */
export function placeOfServers(client: Client, root: SourceNode | undefined): ServersPlace | undefined {
  return client.places.find(({ path }) => nodeAt(root, path) !== undefined)
}

function looksLikeOpenCode(servers: SourceNode | undefined): boolean {
  if (servers?.kind !== 'map') return false
  return [...servers.entries.values()].some(({ node }) => {
    const type = nodeAt(node, ['type'])
    const word = type?.kind === 'scalar' ? type.value : undefined
    return word === 'local' || word === 'remote' || nodeAt(node, ['command'])?.kind === 'list'
  })
}

/** How the paths of a client's files end, from the folder on that is its own. */
function endings(client: Client): string[] {
  const user = Object.values(client.userFiles).flat()
  return [...user, ...client.projectFiles]
    .map(file => file.replace(/^(?:~|\$[A-Z_]+)(?=\/|$)/, '').replace(/^(?!\/)/, '/'))
    .map(ending => ending.replace(/^\/(?:\.config|Library\/Application Support)(?=\/)/, ''))
    .filter(ending => ending !== '/' && ending !== '/config.toml')
}

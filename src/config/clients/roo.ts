import type { Client } from '../client.js'
import { colonVariables } from '../variables.js'

/** Roo Code. Timeouts are seconds. */
export const roo: Client = {
  id: 'roo',
  title: 'Roo Code',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: {
    linux: ['~/.config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json'],
    darwin: [
      '~/Library/Application Support/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json',
    ],
    win32: ['$APPDATA/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json'],
  },
  projectFiles: ['.roo/mcp.json', '.codeassistant/mcp.json'],
  variables: colonVariables('roo', ['folder']),
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    timeouts: [{ key: 'timeout', of: 'call', unit: 1000, whole: true, minimum: 1, maximum: 3600 }],
    approve: 'alwaysAllow',
    deny: 'disabledTools',
  },
  types: { stdio: 'stdio', 'streamable-http': 'streamable-http', sse: 'sse' },
  kept: ['watchPaths'],
}

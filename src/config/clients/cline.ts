import type { Client } from '../client.js'
import { colonVariables } from '../variables.js'

/** Without `type`, a `url` is HTTP+SSE. Timeouts are whole seconds. */
export const cline: Client = {
  id: 'cline',
  title: 'Cline',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: {
    linux: [
      '$CLINE_MCP_SETTINGS_PATH',
      '$CLINE_DIR/data/settings/cline_mcp_settings.json',
      '~/.cline/data/settings/cline_mcp_settings.json',
      '~/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json',
    ],
    darwin: [
      '$CLINE_MCP_SETTINGS_PATH',
      '$CLINE_DIR/data/settings/cline_mcp_settings.json',
      '~/.cline/data/settings/cline_mcp_settings.json',
      '~/Library/Application Support/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json',
    ],
    win32: [
      '$CLINE_MCP_SETTINGS_PATH',
      '$CLINE_DIR/data/settings/cline_mcp_settings.json',
      '~/.cline/data/settings/cline_mcp_settings.json',
      '$APPDATA/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json',
    ],
  },
  projectFiles: [],
  variables: colonVariables('cline', []),
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    timeouts: [{ key: 'timeout', of: 'call', unit: 1000, whole: true, minimum: 1, maximum: 3600 }],
    approve: 'autoApprove',
  },
  types: { stdio: 'stdio', 'streamable-http': 'streamableHttp', sse: 'sse' },
  kept: ['oauth', 'metadata'],
}

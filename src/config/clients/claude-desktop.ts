import type { Client } from '../client.js'
import { noVariables } from '../variables.js'

/** Programs only: servers elsewhere are added in its settings, or through a bridge. */
export const claudeDesktop: Client = {
  id: 'claude-desktop',
  title: 'Claude Desktop',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: {
    linux: ['~/.config/Claude/claude_desktop_config.json'],
    darwin: ['~/Library/Application Support/Claude/claude_desktop_config.json'],
    win32: ['$APPDATA/Claude/claude_desktop_config.json'],
  },
  projectFiles: [],
  variables: noVariables,
  fields: { command: 'command', args: 'args', env: 'env' },
  types: { stdio: '' },
}

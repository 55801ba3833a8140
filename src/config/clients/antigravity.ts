import { type Client, everywhere } from '../client.js'
import { noVariables } from '../variables.js'

export const antigravity: Client = {
  id: 'antigravity',
  title: 'Antigravity',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.gemini/antigravity/mcp_config.json', '~/.gemini/config/mcp_config.json'),
  projectFiles: ['.agents/mcp_config.json'],
  variables: noVariables,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'serverUrl',
    headers: 'headers',
    disabled: 'disabled',
    deny: 'disabledTools',
  },
  types: { stdio: '', auto: '' },
}

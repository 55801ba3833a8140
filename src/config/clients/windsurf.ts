import { type Client, everywhere } from '../client.js'
import { colonVariables } from '../variables.js'

/** `serverUrl` rather than `url`. */
export const windsurf: Client = {
  id: 'windsurf',
  title: 'Windsurf',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.codeium/windsurf/mcp_config.json'),
  projectFiles: [],
  variables: colonVariables('windsurf', ['file']),
  variableFields: ['command', 'args', 'env', 'url', 'headers'],
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'serverUrl',
    headers: 'headers',
    disabled: 'disabled',
  },
  types: { stdio: '', auto: '' },
}

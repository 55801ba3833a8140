import { type Client, everywhere } from '../client.js'
import { noVariables } from '../variables.js'

/** LM Studio follows Cursor's format, without its variables. */
export const lmStudio: Client = {
  id: 'lm-studio',
  title: 'LM Studio',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.lmstudio/mcp.json'),
  projectFiles: [],
  variables: noVariables,
  fields: { command: 'command', args: 'args', env: 'env', url: 'url', headers: 'headers' },
  types: { stdio: '', auto: '' },
}

import { type Client, everywhere } from '../client.js'
import { shellVariables } from '../variables.js'

/** Factory's Droid. */
export const factory: Client = {
  id: 'factory',
  title: 'Factory Droid',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.factory/mcp.json'),
  projectFiles: ['.factory/mcp.json'],
  variables: shellVariables(false),
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    deny: 'disabledTools',
  },
  types: { stdio: 'stdio', 'streamable-http': 'http', sse: 'sse' },
}

import { type Client, everywhere } from '../client.js'
import { shellVariables } from '../variables.js'

/** Its programs inherit PATH and nothing else. */
export const copilotCli: Client = {
  id: 'copilot-cli',
  title: 'GitHub Copilot CLI',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('$COPILOT_HOME/mcp-config.json', '~/.copilot/mcp-config.json'),
  projectFiles: ['.github/mcp.json'],
  variables: shellVariables(true),
  variableFields: ['command', 'args', 'env', 'headers'],
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    allow: 'tools',
  },
  types: { stdio: 'local', 'streamable-http': 'http', sse: 'sse' },
  always: () => ({ tools: ['*'] }),
}

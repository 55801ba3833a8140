import { type Client, everywhere } from '../client.js'
import { shellVariables } from '../variables.js'

export const claudeCode: Client = {
  id: 'claude-code',
  title: 'Claude Code',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  // Its scope "local".
  folderPlace: { before: ['projects'], after: ['mcpServers'] },
  userFiles: everywhere('$CLAUDE_CONFIG_DIR/.claude.json', '~/.claude.json'),
  projectFiles: ['.mcp.json'],
  variables: shellVariables(true),
  variableFields: ['command', 'args', 'env', 'url', 'headers'],
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    auth: { fields: { clientId: ['oauth', 'clientId'], callbackPort: ['oauth', 'callbackPort'] } },
  },
  types: { stdio: 'stdio', 'streamable-http': 'http', sse: 'sse' },
  kept: ['headersHelper'],
  reservedNames: ['workspace', 'claude-in-chrome', 'computer-use', 'Claude Preview', 'Claude Browser'],
}

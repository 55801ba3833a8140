import { type Client, everywhere } from '../client.js'
import { colonVariables } from '../variables.js'

/** A `url` is tried as Streamable HTTP, then as HTTP+SSE. */
export const cursor: Client = {
  id: 'cursor',
  title: 'Cursor',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.cursor/mcp.json'),
  projectFiles: ['.cursor/mcp.json'],
  variables: colonVariables('cursor', ['folder']),
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    envFile: 'envFile',
    url: 'url',
    headers: 'headers',
    auth: {
      fields: {
        clientId: ['auth', 'CLIENT_ID'],
        clientSecret: ['auth', 'CLIENT_SECRET'],
        scopes: ['auth', 'scopes'],
      },
    },
  },
  types: { stdio: '', auto: '' },
}

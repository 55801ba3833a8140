import type { Client } from '../client.js'
import { anyportVariables } from '../variables.js'

/** anyport's own file, and every other with `mcpServers` that no client is known for. It can hold everything. */
export const anyport: Client = {
  id: 'anyport',
  title: 'anyport',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: {
    linux: ['$XDG_CONFIG_HOME/anyport/anyport.json', '~/.config/anyport/anyport.json'],
    darwin: ['$XDG_CONFIG_HOME/anyport/anyport.json', '~/.config/anyport/anyport.json'],
    win32: ['$APPDATA/anyport/anyport.json'],
  },
  projectFiles: ['anyport.json', 'mcp.json'],
  variables: anyportVariables,
  inputs: true,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    envFile: 'envFile',
    inherit: 'inheritEnv',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    allow: 'includeTools',
    deny: 'excludeTools',
    approve: 'autoApprove',
    globs: true,
    description: 'description',
    auth: {
      fields: {
        clientId: ['oauth', 'clientId'],
        clientSecret: ['oauth', 'clientSecret'],
        scopes: ['oauth', 'scopes'],
        redirectUri: ['oauth', 'redirectUri'],
        callbackPort: ['oauth', 'callbackPort'],
        authorizationUrl: ['oauth', 'authorizationUrl'],
        tokenUrl: ['oauth', 'tokenUrl'],
        resource: ['oauth', 'resource'],
      },
      never: 'oauth',
    },
  },
  types: { stdio: '', auto: '', 'streamable-http': 'http', sse: 'sse', modern: 'modern' },
  kept: ['title', 'name'],
  universal: true,
}

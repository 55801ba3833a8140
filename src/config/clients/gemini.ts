import { type Client, everywhere } from '../client.js'
import { dollarVariables } from '../variables.js'

/** Gemini CLI. `url` alone finds out what the server speaks; `httpUrl` is the old word for `type: "http"`. */
export const gemini: Client = {
  id: 'gemini',
  title: 'Gemini CLI',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.gemini/settings.json'),
  projectFiles: ['.gemini/settings.json'],
  variables: dollarVariables,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    url: 'url',
    headers: 'headers',
    timeouts: [{ key: 'timeout', of: 'call', unit: 1, whole: true }],
    allow: 'includeTools',
    deny: 'excludeTools',
    description: 'description',
    auth: {
      fields: {
        clientId: ['oauth', 'clientId'],
        clientSecret: ['oauth', 'clientSecret'],
        scopes: ['oauth', 'scopes'],
        redirectUri: ['oauth', 'redirectUri'],
        authorizationUrl: ['oauth', 'authorizationUrl'],
        tokenUrl: ['oauth', 'tokenUrl'],
      },
    },
  },
  types: { stdio: '', auto: '', 'streamable-http': 'http', sse: 'sse' },
  kept: ['trust', 'authProviderType', 'targetAudience', 'targetServiceAccount', 'extensionName'],
}

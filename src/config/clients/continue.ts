import { type Client, everywhere } from '../client.js'
import { continueVariables } from '../variables.js'

/** Servers are a list, and know their names themselves. */
export const continueDev: Client = {
  id: 'continue',
  title: 'Continue',
  syntax: 'yaml',
  places: [{ path: ['mcpServers'], list: true }],
  userFiles: everywhere('~/.continue/config.yaml'),
  projectFiles: ['.continue/mcpServers/anyport.yaml'],
  variables: continueVariables,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    url: 'url',
    headers: ['requestOptions', 'headers'],
  },
  types: { stdio: 'stdio', 'streamable-http': 'streamable-http', sse: 'sse' },
  kept: ['name', 'requestOptions', 'connectionTimeout', 'faviconUrl', 'sourceFile'],
}

import type { Client } from '../client.js'
import { noVariables } from '../variables.js'

export const zed: Client = {
  id: 'zed',
  title: 'Zed',
  syntax: 'json',
  places: [{ path: ['context_servers'] }],
  userFiles: {
    linux: ['~/.config/zed/settings.json'],
    darwin: ['~/.config/zed/settings.json'],
    win32: ['$APPDATA/Zed/settings.json'],
  },
  projectFiles: ['.zed/settings.json'],
  variables: noVariables,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    enabled: 'enabled',
  },
  types: { stdio: '', 'streamable-http': '' },
  kept: ['source', 'settings', 'remote'],
}

import type { Client } from '../client.js'
import { noVariables } from '../variables.js'

/** Its own words for everything. It does not speak HTTP+SSE. */
export const goose: Client = {
  id: 'goose',
  title: 'goose',
  syntax: 'yaml',
  places: [{ path: ['extensions'] }],
  userFiles: {
    linux: ['$XDG_CONFIG_HOME/goose/config.yaml', '~/.config/goose/config.yaml'],
    darwin: ['$XDG_CONFIG_HOME/goose/config.yaml', '~/.config/goose/config.yaml'],
    win32: ['$APPDATA/Block/goose/config/config.yaml'],
  },
  projectFiles: [],
  variables: noVariables,
  fields: {
    command: 'cmd',
    args: 'args',
    env: 'envs',
    inherit: 'env_keys',
    url: 'uri',
    headers: 'headers',
    enabled: 'enabled',
    timeouts: [{ key: 'timeout', of: 'call', unit: 1000, whole: true }],
    allow: 'available_tools',
    description: 'description',
  },
  types: { stdio: 'stdio', 'streamable-http': 'streamable_http' },
  kept: ['name', 'bundled', 'display_name'],
  always: name => ({ name, enabled: true }),
}

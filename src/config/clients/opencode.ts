import type { Client } from '../client.js'
import { openCodeVariables } from '../variables.js'

const files = {
  linux: ['~/.config/opencode/opencode.json', '~/.config/opencode/opencode.jsonc'],
  darwin: ['~/.config/opencode/opencode.json', '~/.config/opencode/opencode.jsonc'],
  win32: ['~/.config/opencode/opencode.json', '~/.config/opencode/opencode.jsonc'],
} as const

/** The command is a list that holds the arguments. */
export const opencode: Client = {
  id: 'opencode',
  title: 'OpenCode',
  syntax: 'json',
  places: [{ path: ['mcp'] }],
  userFiles: files,
  projectFiles: ['opencode.json', 'opencode.jsonc'],
  variables: openCodeVariables,
  toolSwitches: 'tools',
  fields: {
    command: 'command',
    env: 'environment',
    cwd: 'cwd',
    url: 'url',
    headers: 'headers',
    enabled: 'enabled',
    timeouts: [{ key: 'timeout', of: 'start', unit: 1, whole: true }],
    auth: {
      fields: {
        clientId: ['oauth', 'clientId'],
        clientSecret: ['oauth', 'clientSecret'],
        scopes: ['oauth', 'scope'],
      },
      scopesAsText: true,
      never: 'oauth',
    },
  },
  types: { stdio: 'local', auto: 'remote' },
}

/** Its second major version: servers one level deeper, and `disabled`. */
export const opencode2: Client = {
  ...opencode,
  id: 'opencode-2',
  title: 'OpenCode 2',
  places: [{ path: ['mcp', 'servers'] }],
  fields: withDisabled(),
}

function withDisabled() {
  const { enabled: _, ...fields } = opencode.fields
  return { ...fields, disabled: 'disabled' }
}

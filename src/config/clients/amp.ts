import type { Client } from '../client.js'
import { shellVariables } from '../variables.js'

/** One key with a dot in its name. */
export const amp: Client = {
  id: 'amp',
  title: 'Amp',
  syntax: 'json',
  places: [{ path: ['amp.mcpServers'] }],
  userFiles: {
    linux: ['~/.config/amp/settings.json'],
    darwin: ['~/.config/amp/settings.json'],
    win32: ['$APPDATA/amp/settings.json'],
  },
  projectFiles: ['.amp/settings.json'],
  variables: shellVariables(false),
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    allow: 'includeTools',
    globs: true,
  },
  types: { stdio: '', auto: '' },
}

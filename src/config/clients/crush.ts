import type { Client } from '../client.js'
import { crushVariables } from '../variables.js'

export const crush: Client = {
  id: 'crush',
  title: 'Crush',
  syntax: 'json',
  places: [{ path: ['mcp'] }],
  userFiles: {
    linux: ['~/.config/crush/crush.json'],
    darwin: ['~/.config/crush/crush.json'],
    win32: ['$LOCALAPPDATA/crush/crush.json'],
  },
  projectFiles: ['crush.json', '.crush.json'],
  variables: crushVariables,
  variableFields: ['env', 'headers'],
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    timeouts: [{ key: 'timeout', of: 'call', unit: 1000, whole: true }],
    deny: 'disabled_tools',
  },
  types: { stdio: 'stdio', 'streamable-http': 'http', sse: 'sse' },
}

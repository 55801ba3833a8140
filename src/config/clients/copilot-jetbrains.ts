import type { Client } from '../client.js'
import { colonVariables } from '../variables.js'

export const copilotJetbrains: Client = {
  id: 'copilot-jetbrains',
  title: 'GitHub Copilot for JetBrains',
  syntax: 'json',
  places: [{ path: ['servers'] }],
  userFiles: {
    linux: [
      '$XDG_CONFIG_HOME/github-copilot/intellij/mcp.json',
      '~/.config/github-copilot/intellij/mcp.json',
    ],
    darwin: [
      '$XDG_CONFIG_HOME/github-copilot/intellij/mcp.json',
      '~/.config/github-copilot/intellij/mcp.json',
    ],
    win32: ['$LOCALAPPDATA/github-copilot/intellij/mcp.json'],
  },
  projectFiles: [],
  variables: colonVariables('copilot-jetbrains', []),
  variableFields: ['env', 'headers'],
  fields: { command: 'command', args: 'args', env: 'env', url: 'url', headers: ['requestInit', 'headers'] },
  types: { stdio: 'stdio', auto: '' },
}

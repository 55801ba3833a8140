import type { Client } from '../client.js'
import { colonVariables } from '../variables.js'

/** VS Code with Copilot. `http` tries Streamable HTTP, then HTTP+SSE. */
export const vscode: Client = {
  id: 'vscode',
  title: 'VS Code',
  syntax: 'json',
  places: [
    { path: ['servers'] },
    // In settings.json, as older versions wrote it, and in devcontainer.json.
    { path: ['mcp', 'servers'] },
    { path: ['customizations', 'vscode', 'mcp', 'servers'] },
  ],
  userFiles: {
    linux: ['~/.config/Code/User/mcp.json'],
    darwin: ['~/Library/Application Support/Code/User/mcp.json'],
    win32: ['$APPDATA/Code/User/mcp.json'],
  },
  projectFiles: ['.vscode/mcp.json'],
  variables: colonVariables('vscode', ['input', 'folder']),
  inputs: true,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    envFile: 'envFile',
    cwd: 'cwd',
    url: 'url',
    headers: 'headers',
    auth: { fields: { clientId: ['oauth', 'clientId'] } },
  },
  types: { stdio: 'stdio', 'streamable-http': 'http', sse: 'sse' },
  kept: ['sandboxEnabled', 'sandbox', 'dev', 'gallery', 'version'],
}

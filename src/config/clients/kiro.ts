import { type Client, everywhere } from '../client.js'
import { shellVariables } from '../variables.js'

/** Replaces only the variables that its user approved. */
export const kiro: Client = {
  id: 'kiro',
  title: 'Kiro',
  syntax: 'json',
  places: [{ path: ['mcpServers'] }],
  userFiles: everywhere('~/.kiro/settings/mcp.json'),
  projectFiles: ['.kiro/settings/mcp.json'],
  variables: shellVariables(false),
  variableFields: ['env', 'headers'],
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    url: 'url',
    headers: 'headers',
    disabled: 'disabled',
    approve: 'autoApprove',
    deny: 'disabledTools',
  },
  types: { stdio: '', auto: '' },
  hint: 'Kiro replaces only the variables listed in its setting "Mcp Approved Env Vars".',
}

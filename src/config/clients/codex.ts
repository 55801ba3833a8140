import { type Client, everywhere } from '../client.js'
import { noVariables } from '../variables.js'

/** Codex replaces no variables: it has fields of their own for their names. It does not speak HTTP+SSE. */
export const codex: Client = {
  id: 'codex',
  title: 'Codex',
  syntax: 'toml',
  places: [{ path: ['mcp_servers'] }],
  userFiles: everywhere('$CODEX_HOME/config.toml', '~/.codex/config.toml'),
  projectFiles: ['.codex/config.toml'],
  variables: noVariables,
  fields: {
    command: 'command',
    args: 'args',
    env: 'env',
    cwd: 'cwd',
    inherit: 'env_vars',
    url: 'url',
    headers: 'http_headers',
    bearerVariable: 'bearer_token_env_var',
    headerVariables: 'env_http_headers',
    enabled: 'enabled',
    timeouts: [
      { key: 'startup_timeout_sec', of: 'start', unit: 1000 },
      { key: 'tool_timeout_sec', of: 'call', unit: 1000 },
    ],
    allow: 'enabled_tools',
    deny: 'disabled_tools',
    auth: {
      fields: { clientId: ['oauth', 'client_id'], scopes: 'scopes', resource: 'oauth_resource' },
    },
  },
  types: { stdio: '', 'streamable-http': '' },
  kept: ['required', 'tools', 'default_tools_approval_mode', 'supports_parallel_tool_calls'],
}

import { describe, expect, it } from 'vitest'
import { announcement, serverName } from '../../../src/cli/announce.js'

describe('the name of a server in a configuration', () => {
  it.each([
    ['npx -y @modelcontextprotocol/server-everything', 'everything'],
    ['npx -y @scope/files-mcp-server@1.2.3 /some/folder', 'files'],
    ['uvx mcp-server-git --repository .', 'git'],
    ['python3 -u server.py', 'server'],
    ['node ./dist/index.js', 'index'],
    ['docker run -i --rm mcp/postgres', 'postgres'],
    ['socket:/run/user/1000/notes.sock', 'notes'],
    ['tcp://127.0.0.1:4000', 'anyport'],
    ['npx ***', 'anyport'],
    ['https://mcp.linear.app/sse', 'linear'],
    ['https://api.example.com/mcp?key=***', 'example'],
    ['https://docs.mcp.example.co.uk/', 'docs'],
    ['http://127.0.0.1:3001/mcp', 'anyport'],
    ['http://[::1]:3001/mcp', 'anyport'],
    ['http://localhost/mcp', 'anyport'],
  ])('%s', (serving, name) => {
    expect(serverName(serving)).toBe(name)
  })
})

it('the announcement lists what is served, with colours only where wanted', () => {
  const server = {
    url: 'http://127.0.0.1:1/mcp',
    sseUrl: 'http://127.0.0.1:1/sse',
    dashboardUrl: 'http://127.0.0.1:1/dashboard',
    sockets: ['socket:/s', 'tcp://h:2'],
  }
  const plain = announcement({ version: '1.2.3', serving: 'npx x', server, colors: false })
  for (const part of [
    'anyport 1.2.3 serves npx x',
    server.url,
    server.sseUrl,
    server.dashboardUrl,
    'socket:/s',
    'tcp://h:2',
    '"mcpServers"',
  ]) {
    expect(plain).toContain(part)
  }
  expect(plain).not.toContain('\u001b')
  expect(announcement({ version: '1', serving: 'x', server, colors: true })).toContain('\u001b[36m')
  const pipes = announcement({
    version: '1',
    serving: 'x',
    server: { sockets: ['socket:/s'] },
    colors: false,
  })
  expect(pipes).not.toContain('mcpServers')
})

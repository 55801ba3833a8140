// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
import { describe, expect, it } from 'vitest'
import { clientNamed } from '../../../src/config/clients.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { formatProblem } from '../../../src/config/problem.js'
import { type ReadConfig, readConfig } from '../../../src/config/read-config.js'
import { tomlSyntax } from '../../../src/config/toml-syntax.js'
import { yamlSyntax } from '../../../src/config/yaml-syntax.js'

function read(text: string, client?: string, file = 'f.json'): ReadConfig {
  const syntax = file.endsWith('.toml') ? tomlSyntax : file.endsWith('.yaml') ? yamlSyntax : jsoncSyntax
  return readConfig(
    { file, text, syntax },
    { client: client === undefined ? undefined : clientNamed(client) },
  )
}

function problems({ problems: found }: ReadConfig): string[] {
  return found.map(problem => `${problem.severity}: ${formatProblem(problem)}`)
}

/** One server `s`, its fields in a line of their own. */
const server = (fields: string, root = 'mcpServers') => `{ "${root}": { "s": {\n  ${fields}\n} } }`

describe('a key of another client is understood, and the right one is named', () => {
  it.each([
    [
      'codex',
      'toml',
      '[mcp_servers.s]\nurl = "https://a.example"\nheaders = { A = "b" }',
      'f.toml:3:1: server "s": Codex does not read "headers"; it calls it "http_headers"',
    ],
    [
      'opencode',
      'json',
      server('"type": "local", "command": ["x"],\n"env": {"A": "b"}', 'mcp'),
      'f.json:3:1: server "s": OpenCode does not read "env"; it calls it "environment"',
    ],
    [
      'windsurf',
      'json',
      server('"url": "https://a.example"'),
      'f.json:2:3: server "s": Windsurf does not read "url"; it calls it "serverUrl"',
    ],
    [
      'claude-code',
      'json',
      server('"transport": "http", "url": "https://a.example"'),
      'f.json:2:3: server "s": Claude Code does not read transport; it calls it type',
    ],
    [
      'claude-code',
      'json',
      server('"type": "streamable-http", "url": "https://a.example"'),
      'f.json:2:11: server "s": Claude Code does not know the type "streamable-http"; it calls it "http"',
    ],
    [
      'cline',
      'json',
      server('"type": "http", "url": "https://a.example"'),
      'f.json:2:11: server "s": Cline does not know the type "http"; it calls it "streamableHttp"',
    ],
    [
      'goose',
      'yaml',
      'extensions:\n  s:\n    type: stdio\n    command: x',
      'f.yaml:4:5: server "s": goose does not read "command"; it calls it "cmd"',
    ],
    [
      'goose',
      'yaml',
      'extensions:\n  s:\n    type: streamable_http\n    url: https://a.example',
      'f.yaml:4:5: server "s": goose does not read "url"; it calls it "uri"',
    ],
    [
      'cursor',
      'json',
      server('"command": "x", "enviroment": {}'),
      'f.json:2:19: server "s": Cursor has no field "enviroment"',
    ],
    [
      'vscode',
      'json',
      '{\n  "mcpServers": { "s": { "command": "x" } } }',
      'f.json:2:3: VS Code does not read "mcpServers"; it calls it "servers"',
    ],
    [
      'cursor',
      'json',
      '{\n  "servers": { "s": { "command": "x" } } }',
      'f.json:2:3: Cursor does not read "servers"; it calls it "mcpServers"',
    ],
    [
      'gemini',
      'json',
      server('"command": "x", "includedTools": ["a"]'),
      'f.json:2:19: server "s": Gemini CLI has no field "includedTools"; did you mean "includeTools"?',
    ],
    [
      'kiro',
      'json',
      server('"command": "x", "timeout": 60'),
      'f.json:2:19: server "s": Kiro has no field "timeout"',
    ],
    [
      'claude-desktop',
      'json',
      server('"command": "x", "cwd": "/srv"'),
      'f.json:2:19: server "s": Claude Desktop has no field "cwd"; anyport takes it as other clients mean it',
    ],
    [
      'cursor',
      'json',
      server('"command": "x", "headers": {"A": "b"}'),
      'f.json:2:19: server "s": "headers" means nothing beside a command',
    ],
    [
      'cursor',
      'json',
      server('"url": "https://a.example", "args": ["x"]'),
      'f.json:2:31: server "s": "args" means nothing beside an address',
    ],
    [
      'anyport',
      'json',
      server('"command": "x", "timout": "30s"'),
      'f.json:2:19: server "s": there is no field "timout"; did you mean "timeout"?',
    ],
    [
      'anyport',
      'json',
      server('"command": "x", "timeout": 60'),
      'f.json:2:30: server "s": timeout 60 has no unit; it is taken for seconds. Write "60s", or name the client whose file this is',
    ],
    [
      'anyport',
      'json',
      server('"command": "x", "anyport": { "isolatoin": "session" }'),
      'f.json:2:32: server "s": anyport: there is no setting "isolatoin"; did you mean "isolation"?',
    ],
    [
      'anyport',
      'json',
      '{ "anyport": {\n"servers": { "t": {} } }, "mcpServers": {} }',
      'f.json:2:14: anyport.servers: there is no server "t"',
    ],
    [
      'cursor',
      'json',
      server('"command": "x", "env": { "PORT": 80 }'),
      'f.json:2:36: server "s": env.PORT is the number 80; most clients take texts only, in quotes',
    ],
  ])('%s, %s: %s', (client, ending, text, expected) => {
    const found = read(text, client, `f.${ending}`)
    expect(problems(found)).toEqual([`warning: ${expected}`])
    if (!text.includes('"t"')) expect(found.servers).toHaveLength(1)
  })
})

describe('a value that cannot work is an error with its place, and what is expected there', () => {
  it.each([
    [
      server('"command": 3'),
      undefined,
      'f.json:2:14: server "s": command is the number 3; most clients take texts only, in quotes',
    ],
    [server('"command": {}'), undefined, 'f.json:2:14: server "s": command must be a text; found a map'],
    [
      server('"command": ""'),
      undefined,
      'f.json:1:19: server "s": command must be the name or path of a program; found an empty one',
    ],
    [
      server('"command": "x", "args": "-y"'),
      undefined,
      'f.json:2:27: server "s": args must be a list of texts; found a text',
    ],
    [
      server('"command": "x", "args": [["a"]]'),
      undefined,
      'f.json:2:28: server "s": args[0] must be a text; found a list',
    ],
    [
      server('"command": "x", "env": ["A=b"]'),
      undefined,
      'f.json:2:26: server "s": env must be a map of texts; found a list',
    ],
    [
      server('"url": "example.com/mcp"'),
      undefined,
      'f.json:2:10: server "s": url must be an address such as https://example.com/mcp; found a text that is no address',
    ],
    [
      server('"url": "ftp://example.com"'),
      undefined,
      'f.json:2:10: server "s": url must be an address such as https://example.com/mcp; found one that begins with ftp:',
    ],
    [
      server('"type": "stido", "command": "x"'),
      'vscode',
      'f.json:2:11: server "s": type "stido" is none that VS Code has; expected "stdio" or "http" or "sse"; did you mean "stdio"?',
    ],
    [
      server('"command": "x", "url": "https://a.example"'),
      undefined,
      'f.json:1:19: server "s": it has a command and an address; it can have one of them only',
    ],
    [server('"args": []'), undefined, 'f.json:1:19: server "s": it needs command or url'],
    [
      server('"type": "http", "command": "x"'),
      undefined,
      'f.json:1:19: server "s": its type is that of a server elsewhere, but it has a command',
    ],
    [
      server('"type": "stdio", "url": "https://a.example"'),
      undefined,
      'f.json:1:19: server "s": its type is that of a program, but it has an address',
    ],
    [
      server('"command": "x", "disabled": "no"'),
      undefined,
      'f.json:2:31: server "s": disabled must be true or false; found a text',
    ],
    [
      server('"command": "x", "timeout": -1'),
      'cline',
      'f.json:2:30: server "s": timeout must be a time in seconds, a number above 0; found the number -1',
    ],
    [
      server('"command": "x", "timeout": "soon"'),
      undefined,
      'f.json:2:30: server "s": timeout: "soon" is no duration; write for example 500ms, 2s, 10m or 1h',
    ],
    [
      server('"url": "https://a.example", "headers": { "a b": "c" }'),
      undefined,
      'f.json:2:51: server "s": "a b" is no name of a header',
    ],
    [
      server('"url": "https://a.example", "headers": { "a": "b\\nc" }'),
      undefined,
      'f.json:2:49: server "s": the header a holds a line break',
    ],
    [
      server('"command": "x", "anyport": { "idleTimeout": 30 }'),
      undefined,
      'f.json:2:47: server "s": anyport: idleTimeout: the duration 30 has no unit; write for example 30s (500ms, 2s, 10m or 1h)',
    ],
    ['{ "mcpServers": { "s": 3 } }', undefined, 'f.json:1:24: server "s" must be a map; found the number 3'],
    ['{ "mcpServers": { "": { "command": "x" } } }', undefined, 'f.json:1:19: server "": its name is empty'],
    [
      '{ "mcpServers": { "__proto__": { "command": "x" } } }',
      undefined,
      'f.json:1:19: server "__proto__": no server can be named so',
    ],
    ['{ "mcpServers": 3 }', 'cursor', 'f.json:1:17: mcpServers must be a map of servers; found the number 3'],
    [
      '{ "McpServers": {} }',
      undefined,
      'f.json:1:1: no servers here: there is no "mcpServers"; did you mean it by "McpServers"?',
    ],
    ['{\n "mcpServers": {\n  "a" {} } }', undefined, 'f.json:3:7: expected a colon, found "{"'],
    ['{ "a": 1, "a": 2 }', undefined, 'f.json:1:11: the key "a" is there twice'],
    ['{ "a": 01 }', undefined, 'f.json:1:8: expected a value, found "01"'],
    [
      '{ "a": "b',
      undefined,
      'f.json:1:8: this text has no closing quote, or an escape that JSON does not know',
    ],
    ['{ "a": 1 } x', undefined, 'f.json:1:12: expected the end of the file, found "x"'],
    ['{ /* "a": 1 }', undefined, 'f.json:1:3: this comment has no end'],
    ['[]', undefined, 'f.json:1:1: expected a map; found a list'],
  ])('%s', (text, client, expected) => {
    const found = problems(read(text, client))
    expect(found.map(line => line.replace(/^\w+: /, ''))).toContain(expected)
    if (!expected.includes('most clients')) expect(found).toContain(`error: ${expected}`)
  })

  it.each([
    [
      'f.toml',
      '[mcp_servers.s]\ncommand = "x"\nbearer_token = "secret-value"\n',
      'f.toml:3:1: server "s": Codex refuses bearer_token; name a variable that holds it in bearer_token_env_var',
    ],
    ['f.toml', '[mcp_servers.s]\ncommand = x\n', 'f.toml:2:11: unexpected character'],
    ['f.yaml', 'extensions:\n  s:\n   cmd: x\n  cmd: [\n', 'f.yaml:'],
    ['f.yaml', 'mcpServers:\n  - command: x\n', 'f.yaml:2:5: each server in this list needs a name, a text'],
    [
      'f.yaml',
      'mcpServers:\n  - name: a\n    command: x\n  - name: a\n    command: y\n',
      'f.yaml:4:11: the server "a" is there twice',
    ],
  ])('%s', (file, text, expected) => {
    const client = file.endsWith('.toml') ? 'codex' : text.startsWith('ext') ? 'goose' : 'continue'
    const found = problems(read(text, client, file))
    expect(
      found.some(line => line.startsWith(`error: ${expected}`)),
      found.join('\n'),
    ).toBe(true)
  })

  it('no message holds the value of a field', () => {
    const secret = 'sk-very-secret'
    for (const fields of [
      `"command": ["${secret}", {}]`,
      `"command": "x", "env": { "A": ["${secret}"] }`,
      `"url": "${secret}"`,
      `"url": "https://u:${secret}@a.example", "headers": { "A": "${secret}\\n" }`,
      `"command": "x", "args": "${secret}"`,
    ]) {
      for (const client of ['cursor', 'codex', 'anyport'])
        expect(problems(read(server(fields), client)).join()).not.toContain(secret)
    }
  })
})

describe('what each client means', () => {
  const one = (text: string, client: string, file?: string) => read(text, client, file).servers[0]

  it('times have the unit of their client', () => {
    expect(one(server('"command": "x", "timeout": 60'), 'cline')?.timeouts).toEqual({ call: 60_000 })
    expect(one(server('"command": "x", "timeout": 60'), 'gemini')?.timeouts).toEqual({ call: 60 })
    expect(
      one('[mcp_servers.s]\ncommand = "x"\nstartup_timeout_ms = 1500\n', 'codex', 'f.toml')?.timeouts,
    ).toEqual({ start: 1_500 })
    expect(one(server('"command": "x", "timeout": "1.5s"'), 'anyport')?.timeouts).toEqual({ call: 1_500 })
  })

  it('Gemini CLI: httpUrl wins over url', () => {
    expect(
      one(server('"url": "https://a.example", "httpUrl": "https://b.example"'), 'gemini')?.server,
    ).toMatchObject({ url: ['https://b.example'], transport: 'streamable-http' })
  })

  it('variables of another client are text', () => {
    const command = (text: string, client: string) => {
      const found = one(server(`"command": ${JSON.stringify(text)}`), client)?.server
      return found?.kind === 'stdio' ? found.command : undefined
    }
    expect(command('${A}', 'claude-code')).toMatchObject([{ kind: 'env', name: 'A' }])
    expect(command('${A}', 'cursor')).toEqual(['${A}'])
    expect(command('${config:a}', 'cursor')).toMatchObject([{ kind: 'foreign' }])
    expect(command('${env:A}', 'cursor')).toMatchObject([{ kind: 'env', name: 'A' }])
    expect(command('${A}', 'claude-desktop')).toEqual(['${A}'])
    expect(command('$A', 'claude-code')).toEqual(['$A'])
    expect(command('$A', 'gemini')).toMatchObject([{ kind: 'env', name: 'A' }])
    expect(command('${A:-b}', 'claude-code')).toMatchObject([{ kind: 'env', name: 'A', fallback: 'b' }])
    expect(command('${env:A | value:b}', 'anyport')).toMatchObject([
      { kind: 'env', name: 'A', fallback: 'b' },
    ])
    expect(command('$${A}', 'anyport')).toEqual(['${A}'])
  })

  it('the servers of a file that no client is known for are read as any of them means', () => {
    const text = server('"httpUrl": "https://a.example", "http_headers": { "A": "b" }, "disabled": true')
    expect(problems(read(text))).toEqual([])
    expect(read(text).servers[0]).toMatchObject({
      disabled: true,
      server: { transport: 'streamable-http', headers: { A: ['b'] } },
    })
  })

  it('a file of blanks and comments has no servers, and nothing is wrong with it', () => {
    for (const text of ['', '  \n', '// nothing\n', '\uFEFF'])
      expect(read(text, 'cursor')).toMatchObject({ servers: [], problems: [] })
  })

  it('settings at the root of the file are those of its servers, and what they say themselves wins', () => {
    const text =
      '{ "anyport": { "lazy": true, "servers": { "s": { "isolation": "session", "lazy": true } } }, "mcpServers": { "s": { "command": "x", "anyport": { "lazy": false } } } }'
    expect(read(text)).toMatchObject({
      problems: [],
      gateway: { lazy: true },
      servers: [{ settings: { isolation: 'session', lazy: false } }],
    })
  })
})

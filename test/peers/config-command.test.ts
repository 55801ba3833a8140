// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ANYPORT } from './start-anyport.js'

const LIMIT = 60_000

let folder = ''
let home = ''
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-config-')))
  home = join(folder, 'home')
  mkdirSync(home)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function config(...argv: string[]): Promise<Outcome> {
  const { APPDATA: _, XDG_CONFIG_HOME: __, CODEX_HOME: ___, ...inherited } = process.env
  const env = { ...inherited, HOME: home, SECRET: 'kept-secret' }
  const child = spawn(process.execPath, [ANYPORT, 'config', ...argv], { cwd: folder, env, timeout: LIMIT })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8')

describe("Claude Code's servers for one folder", () => {
  it('are listed, added and removed in the file of the user, and imported with the others', async () => {
    const before = `{\n  "numStartups": 3,\n  "mcpServers": { "all": { "type": "stdio", "command": "x" } }\n}\n`
    file('home/.claude.json', before)
    const local = ['--client', 'claude-code', '--scope', 'local']
    const added = await config('add', 'here', ...local, '--', 'node', 'server.js')
    expect([added.code, added.stderr]).toEqual([0, ''])
    const entry = { type: 'stdio', command: 'node', args: ['server.js'] }
    expect(JSON.parse(read('home/.claude.json'))).toEqual({
      ...JSON.parse(before),
      projects: { [folder]: { mcpServers: { here: entry } } },
    })
    const { stdout } = await config('list', '--json')
    const listed = JSON.parse(stdout) as { folder?: string; servers: { name: string }[] }[]
    expect(listed.map(({ folder, servers }) => [folder, servers.map(({ name }) => name)])).toEqual([
      [undefined, ['all']],
      [folder, ['here']],
    ])
    expect((await config('import', '--from', 'claude-code')).code).toBe(0)
    expect(Object.keys(JSON.parse(read('anyport.json')).mcpServers).sort()).toEqual(['all', 'here'])
    expect((await config('remove', 'here', ...local)).code).toBe(0)
    expect(JSON.parse(read('home/.claude.json')).projects?.[folder]?.mcpServers ?? {}).toEqual({})
    const refused = await config('list', '--client', 'cursor', '--scope', 'local')
    expect([refused.code, refused.stderr.includes('Cursor has no servers for one folder')]).toEqual([2, true])
  })
})

describe('twenty writers at once', () => {
  it.each([
    ['cursor', 'home/.cursor/mcp.json', '{\n  // kept\n  "mcpServers": {\n  }\n}\n', /^ {4}"s\d+":/gm],
    ['codex', 'home/.codex/config.toml', '# kept\nmodel = "x"\n', /^\[mcp_servers\.s\d+\]$/gm],
    ['goose', 'home/.config/goose/config.yaml', '# kept\nGOOSE_MODE: auto\n', /^ {2}s\d+:$/gm],
  ])(
    '%s: none is lost, and no reader sees half a file',
    async (client, name, before, entry) => {
      const path = file(name, before)
      const seen = new Set<string>()
      let writing = true
      const reader = (async () => {
        while (writing) {
          seen.add(readFileSync(path, 'utf8'))
          await new Promise(resolve => setImmediate(resolve))
        }
      })()
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          config('add', `s${index}`, '--client', client, '--', 'run', `-${index}`),
        ),
      )
      writing = false
      await reader
      expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        outcomes.map(() => ({ code: 0, stderr: '' })),
      )
      expect(read(name).match(entry)).toHaveLength(20)
      expect(read(name)).toContain('kept')
      const { isWhole } = await wholeness(client)
      for (const text of seen) expect(isWhole(text), text).toBe(true)
      expect(seen.size).toBeGreaterThan(1)
      expect(readdirSync(dirname(path))).toEqual([path.split('/').at(-1)])
    },
    120_000,
  )
})

async function wholeness(client: string): Promise<{ readonly isWhole: (text: string) => boolean }> {
  const { syntaxOf } = await import('../../src/node/config/config-file.js')
  const syntax = await syntaxOf(client === 'codex' ? 'f.toml' : client === 'goose' ? 'f.yaml' : 'f.json')
  return {
    isWhole(text) {
      try {
        return syntax.parse(text) !== undefined
      } catch {
        return false
      }
    },
  }
}

describe('anyport config', () => {
  it('adds, lists and removes', async () => {
    expect(
      await config(
        'add',
        'local',
        '--env',
        'SECRET',
        '--env',
        'MODE=a b',
        '--timeout',
        '90s',
        '--',
        'npx',
        '-y',
        'x',
      ),
    ).toMatchObject({ code: 0, stderr: '' })
    expect(
      await config(
        'add',
        'far',
        'https://u:pass@example.com/mcp?key=k',
        '--header',
        'Authorization: Bearer ${SECRET}',
      ),
    ).toMatchObject({ code: 0 })
    expect(JSON.parse(read('anyport.json'))).toEqual({
      mcpServers: {
        local: {
          command: 'npx',
          args: ['-y', 'x'],
          env: { SECRET: '${SECRET}', MODE: 'a b' },
          timeout: '90s',
        },
        far: { url: 'https://u:pass@example.com/mcp?key=k', headers: { Authorization: 'Bearer ${SECRET}' } },
      },
    })
    const listed = await config('list')
    expect(listed.stdout).toContain('local  stdio            npx -y x')
    expect(listed.stdout).not.toMatch(/pass|key=k/)
    const json = JSON.parse((await config('list', '--json')).stdout)
    expect(json).toMatchObject([
      {
        client: 'anyport',
        servers: [
          { name: 'local', kind: 'stdio' },
          { name: 'far', kind: 'auto' },
        ],
      },
    ])
    expect(await config('remove', 'local', 'none')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Removed local'),
    })
    expect(Object.keys(JSON.parse(read('anyport.json')).mcpServers)).toEqual(['far'])
  })

  it('another server of the same name stays, unless it is to be replaced', async () => {
    await config('add', 'a', '--', 'x')
    const again = await config('add', 'a', '--', 'x')
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('Already there: a') })
    const other = await config('add', 'a', '--', 'y')
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('--replace') })
    expect(read('anyport.json')).toContain('"x"')
    expect(await config('add', 'a', '--replace', '--', 'y')).toMatchObject({ code: 0 })
    expect(read('anyport.json')).toContain('"y"')
  })

  it('imports and exports, and what cannot cross has a name', async () => {
    file(
      'home/.config/Claude/claude_desktop_config.json',
      '{ "mcpServers": { "fs": { "command": "npx", "args": ["fs"] } } }',
    )
    expect(await config('import', '--from', 'claude-desktop')).toMatchObject({ code: 0 })
    expect(JSON.parse(read('anyport.json')).mcpServers.fs).toEqual({ command: 'npx', args: ['fs'] })
    await config(
      'add',
      'far',
      'https://example.com/sse',
      '--transport',
      'sse',
      '--timeout',
      '5s',
      '--header',
      'X-Key: ${SECRET}',
    )
    const codex = await config('export', '--to', 'codex')
    expect(codex.stderr).toContain('bridged: far: server: Codex cannot reach it itself')
    expect(read('home/.codex/config.toml')).toContain(
      'args = ["-y", "anyport", "connect", "https://example.com/sse", "--transport", "sse", "--header", "X-Key: ${SECRET}"]\nenv_vars = ["SECRET"]\ntool_timeout_sec = 5',
    )
    expect(read('home/.codex/config.toml')).not.toContain('kept-secret')
    const vscode = await config('export', '--to', 'vscode', '--scope', 'project', 'far')
    expect(vscode).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('lost: far: timeouts.call: VS Code has no field'),
    })
    expect(JSON.parse(read('.vscode/mcp.json')).servers).toEqual({
      far: { type: 'sse', url: 'https://example.com/sse', headers: { 'X-Key': '${env:SECRET}' } },
    })
    expect(statSync(join(folder, '.vscode/mcp.json')).mode & 0o777).toBe(0o666 & ~process.umask())
    expect(statSync(join(folder, 'home/.codex/config.toml')).mode & 0o777).toBe(0o600)
  })

  it('what VS Code asks for is declared with the servers, there and back', async () => {
    const input = { type: 'promptString', id: 'api-key', description: 'Key', password: true }
    const server = { type: 'stdio', command: 'x', env: { KEY: '${input:api-key}' } }
    const theirs = { inputs: [input], servers: { asks: server } }
    file('home/.config/Code/User/mcp.json', JSON.stringify(theirs))
    const told =
      'changed: asks: inputs.api-key: anyport asks for "api-key" at each start on a terminal; elsewhere the variable ANYPORT_INPUT_API_KEY has to have its value\n'
    expect(await config('import', '--from', 'vscode')).toMatchObject({ code: 0, stderr: told })
    const { type: _, ...plain } = server
    expect(JSON.parse(read('anyport.json'))).toEqual({ mcpServers: { asks: plain }, inputs: [input] })
    const again = await config('import', '--from', 'vscode')
    expect([again.code, again.stderr]).toEqual([0, ''])
    const back = await config('export', '--to', 'vscode', '--scope', 'project')
    expect([back.code, back.stderr]).toEqual([0, ''])
    expect(JSON.parse(read('.vscode/mcp.json'))).toEqual(theirs)
    const converted = await config('convert', '.vscode/mcp.json', '--to', 'anyport')
    expect([converted.code, JSON.parse(converted.stdout).inputs]).toEqual([0, [input]])
    const cursor = await config('export', '--to', 'cursor')
    expect(cursor).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('refused: asks: server.env.KEY'),
    })
  })

  it('secrets are written only where that is asked for; what needs one is refused otherwise', async () => {
    await config('add', 'local', '--env', 'SECRET', '--', 'x')
    const refused = await config('export', '--to', 'claude-desktop')
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'refused: local: server.env.SECRET: Claude Desktop replaces no variables; --resolve',
      ),
    })
    const target = 'home/.config/Claude/claude_desktop_config.json'
    expect(existsSync(join(folder, target))).toBe(false)
    expect(await config('export', '--to', 'claude-desktop', '--resolve')).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(JSON.parse(read(target)).mcpServers.local.env).toEqual({ SECRET: 'kept-secret' })
  })

  it('converts to stdout, and writes nothing', async () => {
    const path = file(
      '.cursor/mcp.json',
      '{ "mcpServers": { "a": { "url": "https://a.example/sse" }, "b": { "command": "x", "env": { "K": "${env:K}" } } } }',
    )
    const { stdout, code } = await config('convert', path, '--to', 'goose')
    expect(code).toBe(0)
    expect(stdout).toContain('extensions:\n  a:\n    name: a\n')
    expect(stdout).toContain('    env_keys:\n      - K\n')
    const tried = await config('export', '--from', 'cursor', '--to', 'kiro', '--dry-run')
    expect(tried.code).toBe(2)
    expect(readdirSync(folder).sort()).toEqual(['.cursor', 'home'])
  })

  it('warnings are errors with --strict, with exit code 2', async () => {
    file('.mcp.json', '{\n  "mcpServers": {\n    "a": { "command": "x", "environment": {} }\n  }\n}\n')
    const warned = await config('export', '--to', 'cursor')
    expect(warned).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        '.mcp.json:3:28: server "a": Claude Code does not read "environment"; it calls it "env"',
      ),
    })
    const strict = await config('export', '--to', 'windsurf', '--strict')
    expect(strict).toMatchObject({ code: 2, stderr: expect.stringContaining('error: ') })
    expect(existsSync(join(home, '.codeium'))).toBe(false)
    expect((await config('list', '--file', '.mcp.json', '--strict')).code).toBe(2)
  })

  it('a file that cannot be read is left as it is', async () => {
    const path = file('.cursor/mcp.json', '{\n  "mcpServers": {\n    "a": {,\n')
    const { code, stderr } = await config('add', 'b', '--client', 'cursor', '--scope', 'project', '--', 'x')
    expect(code).toBe(1)
    expect(stderr).toContain('.cursor/mcp.json:3:11: expected a key in double quotes or }, found ","')
    expect(readFileSync(path, 'utf8')).toBe('{\n  "mcpServers": {\n    "a": {,\n')
  })

  it.each([
    [[], 'config list|add|remove|import|export|convert'],
    [['lst'], 'did you mean list?'],
    [['add'], 'Which server?'],
    [['add', 'a'], 'an address or, behind --, a command'],
    [['add', 'a', 'not-an-address'], 'is no address'],
    [['add', 'a', '--header', 'nonsense', 'https://a.example'], '--header: expected "Name: value"'],
    [['export', '--to', 'cursr'], 'did you mean cursor?'],
    [['list', '--replace'], '--replace is not for config list'],
    [['import'], 'From whom?'],
    [['import', '--from', 'zed'], 'that is where Zed has its servers'],
  ])('%j is wrong use', async (argv, expected) => {
    const { code, stderr } = await config(...argv)
    expect(stderr).toContain(expected)
    expect(code).toBe(2)
  })
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { check } from '../../../../src/cli/doctor/check.js'
import type { Finding } from '../../../../src/cli/doctor/finding.js'
import type { Subject } from '../../../../src/cli/doctor/subject.js'
import { subjectsOfFile } from '../../../../src/cli/doctor/subjects.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-subjects-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function read(name: string, content: string | object, env: Record<string, string> = {}) {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, undefined, 2))
  const { subjects, client } = await subjectsOfFile(file, { env })
  const findings = subjects.flatMap(subject =>
    subject.findings.map((finding): readonly [string | undefined, Finding['code'], number | undefined] => [
      subject.name,
      finding.code,
      finding.place?.line,
    ]),
  )
  return { subjects, findings, client: client?.id }
}

const server = { command: 'node', args: ['server.js'] }

it('a file in which all is well', async () => {
  const { subjects, findings, client } = await read('.cursor/mcp.json', {
    mcpServers: {
      one: server,
      two: { url: 'https://mcp.example.com/mcp' },
      three: { ...server, disabled: true },
    },
  })
  expect(client).toBe('cursor')
  expect(subjects.map(({ name, at, entry }) => [name, at?.line, entry?.server.kind])).toEqual([
    ['one', 3, 'stdio'],
    ['two', 9, 'remote'],
    ['three', 12, undefined],
  ])
  // Cursor has no such field, and would start it.
  expect(findings).toEqual([['three', 'DOCTOR_CONFIG_FIELD', expect.any(Number)]])
})

it('values of variables, and what has none', async () => {
  const { subjects, findings } = await read(
    'mcp.json',
    { mcpServers: { one: { ...server, env: { A: '${A}' } }, two: { ...server, env: { B: '${B}' } } } },
    { A: 'value' },
  )
  expect(subjects.map(({ entry }) => entry?.server)).toMatchObject([{ env: { A: 'value' } }, undefined])
  expect(findings).toEqual([['two', 'DOCTOR_VARIABLE_UNSET', 18]])
})

it.each([
  ['Claude/claude_desktop_config.json', { env: { T: '${T}' } }, true],
  ['Claude/claude_desktop_config.json', { env: { T: 'plain' } }, false],
  // Arguments are for whoever replaces them himself: a shell, a bridge.
  ['Claude/claude_desktop_config.json', { args: ['--header', 'Authorization: Bearer ${T}'] }, false],
  ['.cursor/mcp.json', { env: { T: '${T}' } }, true],
  ['.cursor/mcp.json', { env: { T: '${env:T}' } }, false],
])('what a client does not replace: %s %j %s', async (name, entry, isFound) => {
  const { findings } = await read(name, { mcpServers: { one: { ...server, ...entry } } }, { T: 'value' })
  expect(findings.map(([, code]) => code)).toEqual(isFound ? ['DOCTOR_VARIABLE_NOT_REPLACED'] : [])
})

it.each([
  ['Claude/claude_desktop_config.json', 'servers', 'DOCTOR_WRONG_ROOT_KEY'],
  ['Claude/claude_desktop_config.json', 'mcpServer', 'DOCTOR_WRONG_ROOT_KEY'],
  ['.vscode/mcp.json', 'mcpServers', 'DOCTOR_WRONG_ROOT_KEY'],
  ['.vscode/mcp.json', 'servers', undefined],
  ['other.json', 'mcpServer', 'DOCTOR_WRONG_ROOT_KEY'],
  ['other.json', 'tools', 'DOCTOR_WRONG_ROOT_KEY'],
  ['other.json', 'mcpServers', undefined],
])('the servers of %s under %s', async (name, root, code) => {
  const { findings } = await read(name, { [root]: { one: server } })
  expect(findings.map(([, found]) => found)).toEqual(code === undefined ? [] : [code])
})

it('says which key is the right one, and where the wrong one stands', async () => {
  const { subjects } = await read('.vscode/mcp.json', { inputs: [], mcpServers: { one: server } })
  const [finding] = subjects[0]?.findings ?? []
  expect(finding).toMatchObject({
    place: { line: 3 },
    fix: expect.stringMatching(/^Rename "mcpServers" to "servers" in .*:3$/),
  })
  // They are looked at nevertheless.
  expect(subjects.map(({ name, entry }) => [name, entry === undefined])).toEqual([
    [undefined, true],
    ['one', false],
  ])
})

it('files that cannot be read', async () => {
  expect((await read('mcp.json', '{\n  "mcpServers": {,}\n}')).findings).toEqual([
    [undefined, 'DOCTOR_CONFIG_UNREADABLE', 2],
  ])
  expect((await read('codex/config.toml', '[mcp_servers.a]\ncommand = ]\n')).findings).toEqual([
    [undefined, 'DOCTOR_CONFIG_UNREADABLE', 2],
  ])
  writeFileSync(join(folder, 'utf16.json'), Buffer.from('\uFEFF{}', 'utf16le'))
  const { subjects } = await subjectsOfFile(join(folder, 'utf16.json'))
  expect(subjects[0]?.findings).toMatchObject([
    { code: 'DOCTOR_CONFIG_UNREADABLE', what: expect.stringContaining('UTF-16') },
  ])
})

it('files without servers', async () => {
  expect((await read('Claude/claude_desktop_config.json', { theme: 'dark' })).findings).toEqual([
    [undefined, 'DOCTOR_NO_SERVERS', undefined],
  ])
  expect((await read('mcp.json', { mcpServers: {} })).findings).toEqual([
    [undefined, 'DOCTOR_NO_SERVERS', undefined],
  ])
})

it('fields that a client does not have, and entries that cannot work, by their server', async () => {
  const { subjects, findings } = await read('.cursor/mcp.json', {
    mcpServers: {
      one: { ...server, environment: { A: 'b' } },
      two: { ...server, url: 'https://example.com' },
    },
  })
  expect(findings).toEqual([
    ['one', 'DOCTOR_CONFIG_FIELD', 8],
    ['two', 'DOCTOR_CONFIG_FIELD', 12],
  ])
  const two = subjects.find(({ name }) => name === 'two')
  expect(two?.findings[0]).toMatchObject({
    severity: 'error',
    what: 'It has a command and an address; it can have one of them only',
  })
})

it('a number that nobody may see stays out, whatever else is wrong', async () => {
  const { subjects } = await read('.cursor/mcp.json', {
    mcpServers: { one: { command: {}, env: { TOKEN: 12345678 } } },
  })
  const { findings } = await check(subjects[0] as Subject, { limit: 1_000 })
  expect(JSON.stringify(findings)).toContain('env.TOKEN')
  expect(JSON.stringify(findings)).not.toContain('12345678')
})

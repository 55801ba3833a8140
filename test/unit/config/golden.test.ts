// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../src/config/client.js'
import { CLIENTS, clientNamed, detectClient } from '../../../src/config/clients.js'
import { placeToEdit, removeServer, setServer } from '../../../src/config/edit-config.js'
import { formatProblem } from '../../../src/config/problem.js'
import { readConfig } from '../../../src/config/read-config.js'
import type { UnresolvedEntry } from '../../../src/config/server-entry.js'
import { nodeAt } from '../../../src/config/source.js'
import type { Template } from '../../../src/config/template.js'
import { anyportVariables } from '../../../src/config/variables.js'
import { writeServer } from '../../../src/config/write-server.js'
import { syntaxOf } from '../../../src/node/config/config-file.js'
import { differences } from '../../fixtures/config/entries.js'

const FOLDER = fileURLToPath(new URL('../../fixtures/config/golden/', import.meta.url))
const files = readdirSync(FOLDER).filter(file => file.includes('.before.'))

/** Everything that a client may have to hold. */
const GIVEN: readonly UnresolvedEntry[] = [
  {
    name: 'new-local',
    server: {
      kind: 'stdio',
      command: ['npx'],
      args: [['-y'], ['some-server']],
      env: { TOKEN: [{ kind: 'env', name: 'TOKEN' }], MODE: ['quiet'] },
      cwd: ['/srv'],
    },
    timeouts: { start: 20_000, call: 90_000 },
    tools: { allow: ['read'], deny: ['drop'] },
    disabled: true,
  },
  {
    name: 'new-plain',
    server: { kind: 'stdio', command: ['node'], args: [['server.js']], env: { MODE: ['quiet'] } },
  },
  {
    name: 'new-remote',
    server: {
      kind: 'remote',
      url: ['https://example.com/new'],
      transport: 'streamable-http',
      headers: { Authorization: ['Bearer ', { kind: 'env', name: 'TOKEN' }], 'X-Team': ['core'] },
    },
  },
  {
    name: 'new-old',
    server: { kind: 'remote', url: ['https://example.com/sse'], transport: 'sse', headers: {} },
  },
]

it('fourteen clients and more', () => {
  expect(files.length).toBeGreaterThanOrEqual(14)
})

describe.each(files)('%s', file => {
  const [id = '', , ending] = file.split('.')
  const client = clientNamed(id) as Client
  const text = readFileSync(FOLDER + file, 'utf8')

  it('is read into the canonical form, with a warning for what its client would not do', async () => {
    const syntax = await syntaxOf(file)
    const read = readConfig({ file, text, syntax }, { client })
    const shown = {
      servers: read.servers.map(({ at, ...entry }) => ({ ...entry, line: at?.line })),
      gateway: read.gateway,
      inputs: read.inputs,
      problems: read.problems.map(problem => `${problem.severity}: ${formatProblem(problem)}`),
    }
    await expect(`${JSON.stringify(shown, asText, 2)}\n`).toMatchFileSnapshot(`${FOLDER}${id}.read.json`)
    expect(read.problems.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  it('gets new servers in place, and the losses have names', async () => {
    const syntax = await syntaxOf(file)
    const place = placeToEdit(text, syntax, client)
    const notes: string[] = []
    let after = text
    for (const entry of GIVEN) {
      const written = writeServer(entry, client)
      notes.push(
        ...written.notes.map(
          ({ server, field, kind, message }) => `${server}: ${field}: ${kind}: ${message}`,
        ),
      )
      if (written.value !== undefined) after = setServer(after, syntax, place, entry.name, written.value)
    }
    await expect(after).toMatchFileSnapshot(`${FOLDER}${id}.after.${ending}`)
    await expect(`${notes.join('\n')}\n`).toMatchFileSnapshot(`${FOLDER}${id}.notes.txt`)
    // Taken out again, nothing is left of it.
    const removed = GIVEN.reduce((current, { name }) => removeServer(current, syntax, place, name), after)
    expect(removed).toBe(text)
  })

  it('is written back as it was read', async () => {
    const syntax = await syntaxOf(file)
    const { servers } = readConfig({ file, text, syntax }, { client })
    for (const entry of servers) {
      const { value, notes } = writeServer(entry, client)
      if (value === undefined) throw new Error(JSON.stringify(notes))
      const again = setServer('', syntax, placeToEdit('', syntax, client), entry.name, value)
      const [back] = readConfig({ file, text: again, syntax }, { client }).servers
      // The settings of a server may also stand at the root of the file.
      const different = differences({ ...entry }, back as UnresolvedEntry)
      const named = notes.map(({ field }) => field)
      expect(different.filter(field => !named.some(name => field.startsWith(name)))).toEqual([])
    }
  })

  it('with other line breaks, and a byte order mark, it is edited as well', async () => {
    const syntax = await syntaxOf(file)
    const windows = `\uFEFF${text.replaceAll('\n', '\r\n')}`
    const place = placeToEdit(windows, syntax, client)
    const { value } = writeServer(GIVEN[1] as UnresolvedEntry, client)
    const after = setServer(windows, syntax, place, 'new-plain', value as never)
    expect(after).toBe(
      `\uFEFF${setServer(text, syntax, place, 'new-plain', value as never).replaceAll('\n', '\r\n')}`,
    )
    expect(removeServer(after, syntax, place, 'new-plain')).toBe(windows)
  })

  it('tells by what it holds whose it is, where its path does not', async () => {
    const syntax = await syntaxOf(file)
    const found = detectClient(`/some/folder/config.${ending}`, syntax.parse(text))
    const shared = nodeAt(syntax.parse(text), ['mcpServers'])?.kind === 'map'
    // The key is the same for many: then it is read as what any of them means.
    expect(found?.id).toBe(shared ? 'anyport' : client.id === 'copilot-jetbrains' ? 'vscode' : client.id)
  })
})

describe('paths tell whose file it is', () => {
  it.each([
    ['/home/me/.cursor/mcp.json', 'cursor'],
    ['C:\\Users\\me\\AppData\\Roaming\\Claude\\claude_desktop_config.json', 'claude-desktop'],
    ['/p/.mcp.json', 'claude-code'],
    ['/p/.vscode/mcp.json', 'vscode'],
    ['/home/me/.gemini/settings.json', 'gemini'],
    ['/p/.zed/settings.json', 'zed'],
    ['/home/me/.config/amp/settings.json', 'amp'],
    ['/home/me/.codex/config.toml', 'codex'],
    ['/home/me/.config/goose/config.yaml', 'goose'],
    ['/home/me/.continue/config.yaml', 'continue'],
    ['/p/opencode.jsonc', 'opencode'],
    ['/p/.kiro/settings/mcp.json', 'kiro'],
    ['/home/me/.codeium/windsurf/mcp_config.json', 'windsurf'],
    ['/p/mcp.json', undefined],
    ['/p/config.toml', undefined],
  ])('%s: %s', (path, id) => {
    expect(detectClient(path, undefined)?.id).toBe(id)
  })

  it('and no two clients have the same one', () => {
    const seen = new Map<string, string>()
    for (const client of CLIENTS) {
      for (const path of new Set([...Object.values(client.userFiles).flat(), ...client.projectFiles])) {
        const other = seen.get(path)
        const pair = [other, client.id].sort().join(' ')
        if (other !== undefined && pair !== 'opencode opencode-2') throw new Error(`${path}: ${pair}`)
        seen.set(path, client.id)
      }
    }
  })
})

/** Templates as anyport writes them: short enough to be read by a person. */
function asText(key: string, value: unknown): unknown {
  if (
    !Array.isArray(value) ||
    ['scopes', 'allow', 'deny', 'approve', 'inheritEnv', 'servers', 'problems', 'inputs', 'tools'].includes(
      key,
    )
  )
    return value
  if (key === 'args') return value.map(arg => asText('', arg))
  return anyportVariables.write(value as Template) ?? value
}

import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CLIENTS, clientNamed } from '../../../../src/config/clients.js'
import { setServer } from '../../../../src/config/edit-config.js'
import { jsoncSyntax } from '../../../../src/config/jsonc-syntax.js'
import { readConfigFile, updateConfigFile } from '../../../../src/node/config/config-file.js'
import { clientFile, discoverConfig } from '../../../../src/node/config/config-places.js'

let folder = ''
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'anyport-config-')))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const add = (name: string) => (text: string) =>
  setServer(text, jsoncSyntax, { path: ['mcpServers'] }, name, { command: 'x' })
const left = () => readdirSync(folder).filter(name => name !== 'f.json')

describe('a file is changed', () => {
  it('as a whole, keeping its mode and leaving nothing beside it', async () => {
    const file = join(folder, 'f.json')
    writeFileSync(file, '{}\n')
    chmodSync(file, 0o640)
    expect(await updateConfigFile(file, add('a'))).toBe(true)
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ mcpServers: { a: { command: 'x' } } })
    expect(left()).toEqual([])
  })

  it('or not at all: the same text is not written, an error leaves it alone', async () => {
    const file = join(folder, 'f.json')
    writeFileSync(file, '{}\n')
    utimesSync(file, 1, 1)
    expect(await updateConfigFile(file, text => text)).toBe(false)
    await expect(
      updateConfigFile(file, () => {
        throw new TypeError('no')
      }),
    ).rejects.toThrow('no')
    expect(statSync(file).mtimeMs).toBe(1_000)
    expect(left()).toEqual([])
  })

  it('where it is made, nobody else may read it', async () => {
    const file = join(folder, 'deep', 'er', 'f.json')
    await updateConfigFile(file, add('a'))
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('through links, which stay links, also where they lead to nothing yet', async () => {
    mkdirSync(join(folder, 'real'))
    for (const name of ['f.json', 'later.json']) {
      symlinkSync(join('real', name), join(folder, name))
      if (name === 'f.json') writeFileSync(join(folder, 'real', name), '{}')
      await updateConfigFile(join(folder, name), add('a'))
      expect(lstatSync(join(folder, name)).isSymbolicLink()).toBe(true)
      expect(readFileSync(join(folder, 'real', name), 'utf8')).toContain('"a"')
    }
    symlinkSync('circle', join(folder, 'circle'))
    await expect(updateConfigFile(join(folder, 'circle'), add('a'))).rejects.toThrow('circle')
  })

  it('again, where a program that knows no lock was quicker', async () => {
    const file = join(folder, 'f.json')
    writeFileSync(file, '{}')
    let disturbed = false
    await updateConfigFile(file, text => {
      const after = add('ours')(text)
      if (!disturbed) writeFileSync(file, add('theirs')(text))
      disturbed = true
      return after
    })
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')).mcpServers).sort()).toEqual(['ours', 'theirs'])
  })

  it('by many at once in one process', async () => {
    const file = join(folder, 'f.json')
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`)
    await Promise.all(names.map(name => updateConfigFile(file, add(name))))
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')).mcpServers).sort()).toEqual(names.sort())
    expect(left()).toEqual([])
  })

  it('although a writer died with the lock in its hands', async () => {
    const file = join(folder, 'f.json')
    const lock = (pid: number, host: string) =>
      writeFileSync(`${file}.lock`, JSON.stringify({ id: 'theirs', pid, host }))
    lock(2147483646, hostname())
    await updateConfigFile(file, add('a'))
    expect(left()).toEqual([])
    lock(1, 'another-machine')
    utimesSync(`${file}.lock`, 1, 1)
    await updateConfigFile(file, add('b'))
    expect(left()).toEqual([])
    mkdirSync(`${file}.lock`)
    utimesSync(`${file}.lock`, 1, 1)
    await updateConfigFile(file, add('c'))
    expect(left()).toEqual([])
  })

  it('only after another that holds the lock, as a file or as a folder', async () => {
    const file = join(folder, 'f.json')
    for (const lock of [
      () => mkdirSync(`${file}.lock`),
      () => writeFileSync(`${file}.lock`, JSON.stringify({ id: 'us', pid: process.pid, host: hostname() })),
    ]) {
      lock()
      let done = false
      const update = updateConfigFile(file, add(`s${Math.random()}`)).then(() => {
        done = true
      })
      await new Promise(resolve => setTimeout(resolve, 100))
      expect(done).toBe(false)
      rmSync(`${file}.lock`, { recursive: true })
      await update
      expect(left()).toEqual([])
    }
  })

  it.each([
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), 'encoded as UTF-16; save it as UTF-8'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not encoded as UTF-8'],
  ])('%s is refused', async (_name, bytes, expected) => {
    const file = join(folder, 'f.json')
    writeFileSync(file, bytes)
    await expect(updateConfigFile(file, add('a'))).rejects.toThrow(expected)
    await expect(readConfigFile(file)).rejects.toThrow(expected)
    expect(readFileSync(file)).toEqual(bytes)
  })
})

describe('where files are', () => {
  const there =
    (...files: string[]) =>
    (file: string) =>
      files.includes(file)

  it.each([
    ['claude-desktop', 'darwin', '/Users/you/Library/Application Support/Claude/claude_desktop_config.json'],
    ['claude-desktop', 'win32', 'C:\\Roaming\\Claude\\claude_desktop_config.json'],
    ['vscode', 'linux', '/home/you/.config/Code/User/mcp.json'],
    ['codex', 'linux', '/home/you/.codex/config.toml'],
    ['goose', 'win32', 'C:\\Roaming\\Block\\goose\\config\\config.yaml'],
    ['cursor', 'win32', 'C:\\Users\\you\\.cursor\\mcp.json'],
  ])('%s on %s: %s', (id, platform, expected) => {
    const home = platform === 'win32' ? 'C:\\Users\\you' : platform === 'darwin' ? '/Users/you' : '/home/you'
    const env = { APPDATA: 'C:\\Roaming', LOCALAPPDATA: 'C:\\Local' }
    expect(clientFile(clientNamed(id)!, 'user', { platform, home, env, exists: () => false })).toBe(expected)
  })

  it('every client has a place on every platform', () => {
    for (const client of CLIENTS) {
      for (const [platform, home] of [
        ['linux', '/h'],
        ['darwin', '/h'],
        ['win32', 'C:\\h'],
      ] as const) {
        const env = { APPDATA: 'C:\\a', LOCALAPPDATA: 'C:\\l' }
        expect(clientFile(client, 'user', { platform, home, env, exists: () => false }), client.id).toMatch(
          /\.(json|toml|yaml)$/,
        )
      }
    }
  })

  it('variables move them, and what exists wins', () => {
    const options = { platform: 'linux', home: '/home/you', cwd: '/p' }
    expect(
      clientFile(clientNamed('codex')!, 'user', {
        ...options,
        env: { CODEX_HOME: '/c' },
        exists: () => false,
      }),
    ).toBe('/c/config.toml')
    expect(
      clientFile(clientNamed('opencode')!, 'project', {
        ...options,
        env: {},
        exists: there('/p/opencode.jsonc'),
      }),
    ).toBe('/p/opencode.jsonc')
    expect(clientFile(clientNamed('claude-desktop')!, 'project', { ...options, env: {} })).toBeUndefined()
  })

  it('a project is found from its folders', () => {
    const at = (cwd: string, ...files: string[]) =>
      discoverConfig({ platform: 'linux', cwd, exists: there(...files) })
    expect(at('/a/b/c', '/a/.mcp.json')).toBe('/a/.mcp.json')
    expect(at('/a/b/c', '/a/.mcp.json', '/a/b/mcp.json')).toBe('/a/b/mcp.json')
    expect(at('/a', '/a/.mcp.json', '/a/mcp.json', '/a/anyport.json')).toBe('/a/anyport.json')
    expect(at('/a/b')).toBeUndefined()
  })
})

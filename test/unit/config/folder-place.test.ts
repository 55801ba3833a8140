import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../src/config/client.js'
import { clientNamed } from '../../../src/config/clients.js'
import { placeToEdit, removeServer, setServer } from '../../../src/config/edit-config.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { readConfig } from '../../../src/config/read-config.js'

const file = new URL('../../fixtures/config/golden/claude-code.before.json', import.meta.url)
const text = readFileSync(file, 'utf8')
const client = clientNamed('claude-code') as Client
const source = { file: '.claude.json', text, syntax: jsoncSyntax }

describe("Claude Code's servers for one folder", () => {
  it('go before those of the same name for all, in the folder and below it', () => {
    for (const folder of ['/srv/app', '/srv/app/', '/srv/app/src/deep']) {
      const { servers } = readConfig(source, { client, folder })
      const remotes = servers.filter(({ name }) => name === 'remote')
      expect(
        remotes.map(({ server }) => server.kind),
        folder,
      ).toEqual(['stdio'])
      expect(servers.length).toBe(4)
    }
    for (const folder of ['/srv', '/srv/application', '/'])
      expect(readConfig(source, { client, folder }).servers.map(({ server }) => server.kind)[1]).toBe(
        'remote',
      )
  })

  it('are read alone where that is asked for', () => {
    const of = (folder: string) =>
      readConfig(source, { client, folder, folderOnly: true }).servers.map(({ name }) => name)
    expect(of('/srv/app')).toEqual(['remote'])
    expect(of('/srv')).toEqual([])
  })

  it('are written in place, and nothing else changes', () => {
    const place = placeToEdit(text, jsoncSyntax, client, '/srv/app/src')
    expect(place.path).toEqual(['projects', '/srv/app', 'mcpServers'])
    const value = { type: 'stdio', command: 'node' }
    const after = setServer(text, jsoncSyntax, place, 'new', value)
    expect(JSON.parse(after).projects['/srv/app']).toEqual({
      allowedTools: [],
      mcpServers: { remote: { type: 'stdio', command: 'node', args: ['mock.js'] }, new: value },
    })
    expect(removeServer(after, jsoncSyntax, place, 'new')).toBe(text)
  })

  it('a folder that the file does not know gets an entry of its own', () => {
    for (const before of [text, '', '{}\n', '{\n  "numStartups": 3\n}\n']) {
      const place = placeToEdit(before, jsoncSyntax, client, '/srv/other "quoted"')
      const after = setServer(before, jsoncSyntax, place, 'new', { type: 'stdio', command: 'node' })
      const { servers } = readConfig(
        { ...source, text: after },
        { client, folder: '/srv/other "quoted"', folderOnly: true },
      )
      expect(servers.map(({ name }) => name)).toEqual(['new'])
    }
  })

  it('paths of Windows are the same with either slash', () => {
    const windows = JSON.stringify({
      projects: { 'C:/p/app': { mcpServers: { s: { type: 'stdio', command: 'x' } } } },
    })
    const { servers } = readConfig(
      { ...source, text: windows },
      { client, folder: 'C:\\p\\app', folderOnly: true },
    )
    expect(servers).toHaveLength(1)
  })

  it('other clients have no such place', () => {
    expect(() => placeToEdit('{}', jsoncSyntax, clientNamed('cursor') as Client, '/srv')).toThrow('no place')
  })
})

import { describe, expect, it } from 'vitest'
import {
  entryKey,
  type SharedCommand,
  type SharedEntry,
  type SharedRemote,
} from '../../../../src/node/shared/entry.js'

type Change = Partial<SharedCommand> & Partial<Omit<SharedEntry, 'server'>>

function keyOf({ options, linger, ...server }: Change = {}, platform = 'linux') {
  const entry: SharedEntry = {
    server: {
      command: 'npx',
      args: ['-y', 'it'],
      cwd: '/here',
      env: {},
      inherited: { PATH: '/bin' },
      ...server,
    },
    options: options ?? { isolation: 'principal' },
    linger: linger ?? 60_000,
  }
  return entryKey(entry, { platform, exists: folder => !folder.includes('missing') })
}

describe('what makes another entry', () => {
  const changes: Change[] = [
    { command: 'node' },
    { args: ['-y', 'other'] },
    { args: ['-y it'] },
    { cwd: '/there' },
    { env: { SECRET: '1' } },
    { env: { SECRET: '2' } },
    // By name it is meant, whatever it is called.
    { env: { TERM: 'dumb' } },
    { inherited: { PATH: '/bin', HTTPS_PROXY: 'http://proxy' } },
    { inherited: { PATH: '/usr/bin' } },
    { inherited: { PATH: '/bin', LANG: 'de' } },
    { options: { isolation: 'session' } },
    { linger: 0 },
  ]

  it.each(changes)('%j', change => {
    expect(keyOf(change)).not.toBe(keyOf())
  })

  it('each of them is another one', () => {
    expect(new Set(changes.map(change => keyOf(change))).size).toBe(changes.length)
  })
})

describe('what makes another entry of an address', () => {
  const remote: SharedRemote = {
    url: 'https://a/mcp',
    transport: 'auto',
    headers: { a: '1', b: '2' },
    http: {},
    proxies: {},
    signIn: { credentials: '/state' },
    desktop: {},
  }
  const of = (change: Partial<SharedRemote>) =>
    entryKey({ server: { ...remote, ...change }, options: {}, linger: 0 })
  const changes: Partial<SharedRemote>[] = [
    { url: 'https://a/mcp?x' },
    { transport: 'sse' },
    { headers: { a: '1', b: '3' } },
    { http: { ca: ['x'] } },
    { proxies: { https_proxy: 'http://proxy' } },
    { signIn: { credentials: '/other' } },
    { signIn: { credentials: '/state', clientId: 'x' } },
  ]

  it('each of them is another one', () => {
    expect(new Set([{}, ...changes].map(of)).size).toBe(changes.length + 1)
  })

  it('the order of headers and the screen of the client do not count', () => {
    expect(of({ headers: { b: '2', a: '1' }, desktop: { DISPLAY: ':1' } })).toBe(of({}))
  })
})

describe('what makes none', () => {
  it.each<Change>([
    {
      inherited: {
        TERM: 'xterm',
        COLORTERM: '1',
        PATH: '/bin',
        XDG_SESSION_ID: '3',
        SHLVL: '2',
        PWD: '/x',
        _: 'y',
      },
    },
    { inherited: { PATH: '/missing/node_modules/.bin:/bin:/also/missing' } },
  ])('%j', change => {
    expect(keyOf(change)).toBe(keyOf())
  })

  it('the order of variables', () => {
    expect(keyOf({ env: { A: '1', B: '2' } })).toBe(keyOf({ env: { B: '2', A: '1' } }))
  })

  it('folders in PATH that are missing on Windows', () => {
    const inherited = { Path: 'C:\\missing;C:\\bin' }
    expect(keyOf({ inherited }, 'win32')).toBe(keyOf({ inherited: { Path: 'C:\\bin' } }, 'win32'))
  })
})

import { mkdtempSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ServerRecord } from '../../../../src/client/server-memory.js'
import { connect } from '../../../../src/node/connect.js'
import { serverCache } from '../../../../src/node/storage/server-cache.js'

const DAY = 24 * 3_600_000
const folder = () => join(mkdtempSync(join(tmpdir(), 'anyport-')), 'deep', 'servers')
const record = (instructions = 'As it is'): ServerRecord => ({
  '{}': {
    discovered: { capabilities: { tools: {} }, instructions },
    lists: { 'tools/list': { tools: [{ name: 'a' }] } },
  },
})

afterEach(() => void vi.useRealTimers())

describe('the memory of what servers offer', () => {
  it('outlives a process, for thirty days', () => {
    vi.useFakeTimers()
    const path = folder()
    expect(serverCache(path).get('one')).toBeUndefined()
    serverCache(path).set('one', record())
    vi.advanceTimersByTime(29 * DAY)
    expect(serverCache(path).get('one')).toEqual(record())
    expect(serverCache(path).get('another')).toBeUndefined()
    vi.advanceTimersByTime(1 * DAY)
    expect(serverCache(path).get('one')).toBeUndefined()
  })

  it('is for its user alone, and does not say what was started', () => {
    const path = folder()
    const { identity = '' } = connect({ command: 'npx', args: ['some-server', '--token', 'hush'] })
    serverCache(path).set(identity, record())
    const [name = ''] = readdirSync(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
    expect(name + readFileSync(join(path, name), 'utf8')).not.toMatch(/npx|some-server|hush/)
  })

  it.each([
    ['no JSON', '{'],
    ['something else', '[]'],
    ['another format', JSON.stringify({ format: 2, looked: Date.now(), record: record() })],
    ['a record of nothing', JSON.stringify({ format: 1, looked: Date.now(), record: { '{}': {} } })],
    ['from the future', JSON.stringify({ format: 1, looked: Date.now() + DAY, record: record() })],
  ])('takes a file that holds %s for none', (_what, text) => {
    const path = folder()
    const cache = serverCache(path)
    cache.set('one', record())
    const [name = ''] = readdirSync(path)
    writeFileSync(join(path, name), text)
    expect(cache.get('one')).toBeUndefined()
    cache.set('one', record('anew'))
    expect(cache.get('one')).toEqual(record('anew'))
  })

  it('forgets the oldest beyond two hundred, and those whose time is over', () => {
    const path = folder()
    const cache = serverCache(path)
    cache.set('first', record())
    const [first = ''] = readdirSync(path)
    const hourAgo = Date.now() / 1000 - 3_600
    utimesSync(join(path, first), hourAgo, hourAgo)
    for (let index = 0; index < 200; index++) cache.set(`${index}`, record())
    expect(readdirSync(path)).toHaveLength(200)
    expect(cache.get('first')).toBeUndefined()
    expect(cache.get('0')).toEqual(record())
  })

  it('forgets those whose time is over', () => {
    const path = folder()
    const cache = serverCache(path)
    cache.set('one', record())
    const [one = ''] = readdirSync(path)
    const monthAgo = Date.now() / 1000 - 31 * 24 * 3_600
    utimesSync(join(path, one), monthAgo, monthAgo)
    cache.set('two', record())
    expect(readdirSync(path)).toHaveLength(1)
    expect(readdirSync(path)).not.toContain(one)
  })

  it('is no error where nothing can be written', () => {
    const cache = serverCache('/dev/null/none')
    cache.set('one', record())
    expect(cache.get('one')).toBeUndefined()
  })
})

it('servers that are given other variables are others', () => {
  const identity = (env?: Record<string, string>) =>
    connect({ command: 'x', args: ['y'], ...(env && { env }) }).identity
  expect(identity()).toBe(identity({}))
  expect(identity({ TOKEN: 'a', B: '1' })).toBe(identity({ B: '1', TOKEN: 'a' }))
  expect(new Set([identity(), identity({ TOKEN: 'a' }), identity({ TOKEN: 'b' })]).size).toBe(3)
})

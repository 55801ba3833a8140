import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { connect } from '../../../../src/node/connect.js'
import { eraCache } from '../../../../src/node/storage/era-cache.js'

const DAY = 24 * 3_600_000
const file = () => join(mkdtempSync(join(tmpdir(), 'anyport-')), 'deep', 'eras.json')

afterEach(() => void vi.useRealTimers())

describe('the memory of eras', () => {
  it('outlives a process, for a week from when the era was found', () => {
    vi.useFakeTimers()
    const path = file()
    expect(eraCache(path).get('a server')).toBeUndefined()
    eraCache(path).set('a server', 'legacy')
    vi.advanceTimersByTime(6 * DAY)
    const again = eraCache(path)
    expect(again.get('a server')).toBe('legacy')
    expect(again.get('another')).toBeUndefined()
    // Found again with the help of the memory: that proves nothing new.
    again.set('a server', 'legacy')
    vi.advanceTimersByTime(1 * DAY)
    expect(again.get('a server')).toBeUndefined()
    again.set('a server', 'legacy')
    expect(again.get('a server')).toBe('legacy')
  })

  it('forgets a server that turned modern, and writes nothing for modern ones', () => {
    const path = file()
    const cache = eraCache(path)
    cache.set('new', 'modern')
    expect(() => statSync(path)).toThrow('ENOENT')
    cache.set('old', 'legacy')
    cache.set('older', 'legacy')
    cache.set('old', 'modern')
    expect(cache.get('old')).toBeUndefined()
    expect(cache.get('older')).toBe('legacy')
  })

  it('is readable by its owner alone, whole at all times, and holds no command line', () => {
    const path = file()
    const { identity = '' } = connect({ command: 'node', args: ['server.js', '--token', 'hunter2'] })
    expect(identity).toContain('hunter2')
    eraCache(path).set(identity, 'legacy')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    expect(readdirSync(dirname(path))).toEqual(['eras.json'])
    expect(readFileSync(path, 'utf8')).not.toMatch(/hunter2|server\.js|node/)
  })

  it.each(['', '{', '[]', 'null', '{"legacy":7}', '{"legacy":{"x":"y"}}', '\0'])(
    'takes a broken file (%j) for an empty one',
    text => {
      const path = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'eras.json')
      writeFileSync(path, text)
      const cache = eraCache(path)
      expect(cache.get('a server')).toBeUndefined()
      cache.set('a server', 'legacy')
      expect(cache.get('a server')).toBe('legacy')
    },
  )

  it('does without a place that cannot be written', () => {
    const cache = eraCache('/dev/null/eras.json')
    cache.set('a server', 'legacy')
    expect(cache.get('a server')).toBeUndefined()
  })

  it('keeps what another process wrote', () => {
    const path = file()
    const [one, other] = [eraCache(path), eraCache(path)]
    for (let index = 0; index < 10; index++) (index % 2 ? one : other).set(`server ${index}`, 'legacy')
    for (let index = 0; index < 10; index++) expect(one.get(`server ${index}`)).toBe('legacy')
  })

  it('keeps no more than a thousand, the newest', () => {
    vi.useFakeTimers()
    const path = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'eras.json')
    const cache = eraCache(path)
    cache.set('first', 'legacy')
    vi.advanceTimersByTime(1)
    const found = Date.now()
    const { legacy } = JSON.parse(readFileSync(path, 'utf8'))
    const others = Array.from({ length: 999 }, (_, index) => [`server ${index}`, found])
    writeFileSync(path, JSON.stringify({ legacy: { ...legacy, ...Object.fromEntries(others) } }))
    expect(cache.get('first')).toBe('legacy')
    vi.advanceTimersByTime(1)
    cache.set('last', 'legacy')
    expect(cache.get('last')).toBe('legacy')
    expect(cache.get('first')).toBeUndefined()
    expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')).legacy)).toHaveLength(1_000)
  })
})

describe('what identifies a server', () => {
  it('is its whole command line and where it runs', () => {
    const identity = (command: string, args: string[], cwd?: string) =>
      connect({ command, args, ...(cwd === undefined ? {} : { cwd }) }).identity
    const base = identity('node', ['server.js'])
    expect(identity('node', ['server.js'], process.cwd())).toBe(base)
    const others = [
      identity('node', ['server.js'], '/'),
      identity('node', ['server.js', '']),
      identity('node server.js', []),
      identity('nodejs', ['server.js']),
    ]
    expect(new Set([base, ...others]).size).toBe(5)
  })
})

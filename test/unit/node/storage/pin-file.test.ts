import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ServerPins } from '../../../../src/middleware/exchange/definitions/pins.js'
import { followPins } from '../../../../src/node/follow-pins.js'
import { changePinFile, readPinFile } from '../../../../src/node/storage/pin-file.js'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pins-'))
  file = join(folder, 'anyport.lock.json')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const text = () => readFileSync(file, 'utf8')
const put = (server: string, pins: ServerPins) =>
  changePinFile(file, servers => new Map([...servers, [server, pins]]))

it('is the same text for the same definitions, in whatever order they come', async () => {
  const [a, b] = [
    { name: 'a', inputSchema: { type: 'object', properties: { x: 1, y: 2 } }, other: [1, 2] },
    { name: 'b', description: 'ü\u2028' },
  ]
  await put('one', { tools: [a, b], instructions: [] })
  const first = text()
  expect(await put('one', { instructions: [], tools: [b, a] })).toBe(false)
  const turned = { other: [1, 2], inputSchema: { properties: { y: 2, x: 1 }, type: 'object' }, name: 'a' }
  expect(await put('one', { tools: [b, turned], instructions: [] })).toBe(false)
  await put('two', { tools: [a] })
  expect(text().startsWith(first.slice(0, -8))).toBe(true)
  expect((await readPinFile(file))?.get('one')?.tools).toEqual([a, b])
  expect(readdirSync(folder)).toEqual(['anyport.lock.json'])
})

it('holds servers of all names', async () => {
  const names = ['__proto__', 'constructor', 'ü/../x', '']
  for (const name of names) await put(name, { tools: [{ name: 'a' }] })
  expect([...((await readPinFile(file)) ?? [])].map(([name]) => name).sort()).toEqual(names.sort())
})

it('loses nothing where many write at once', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, index) => put(`s${index}`, { tools: [{ name: 'a' }] })))
  expect((await readPinFile(file))?.size).toBe(10)
})

it('refuses what was edited by hand, and what is something else', async () => {
  expect(await readPinFile(file)).toBeUndefined()
  await put('one', { tools: [{ name: 'a', description: 'Reads' }] })
  const good = text()
  for (const [wrong, why] of [
    [good.replace('Reads', 'Writes'), /one, tools, "a": .*edited by hand/],
    [good.replace('"sha256": "', '"sha256": "0'), /edited by hand/],
    [good.replace('"name": "a"', '"name": "b"'), /edited by hand/],
    [good.replace('"tools"', '"tolls"'), /"tolls" is nothing that is pinned/],
    [good.replace('"version": 1', '"version": 2'), /another version/],
    ['{"servers": 5}', /no "servers"/],
    ['{', /is no JSON/],
  ] as const) {
    writeFileSync(file, wrong)
    await expect(readPinFile(file), wrong).rejects.toThrow(why)
    await expect(put('two', {}), wrong).rejects.toThrow(TypeError)
    expect(text()).toBe(wrong)
  }
})

it('is followed; what cannot be used leaves what was there before', async () => {
  await expect(followPins(file)).rejects.toThrow('anyport pin')
  await put('one', { tools: [{ name: 'a' }] })
  const told: (string | undefined)[] = []
  const pins = await followPins(file, { onChange: error => told.push(error?.message) })
  try {
    const source = pins.of('one')
    let changes = 0
    const stop = source.onChange(() => changes++)
    writeFileSync(file, '{')
    await expect.poll(() => told, { timeout: 10_000 }).toEqual([expect.stringContaining('no JSON')])
    expect(source.current()?.tools).toEqual([{ name: 'a' }])
    rmSync(file)
    await put('one', { tools: [{ name: 'b' }] })
    await expect.poll(() => source.current()?.tools, { timeout: 10_000 }).toEqual([{ name: 'b' }])
    expect(changes).toBeGreaterThan(0)
    expect(pins.of('none').current()).toBeUndefined()
    stop()
  } finally {
    pins.close()
  }
})

import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openFile } from '../src/open-inside.js'
import { readLines } from '../src/read-lines.js'
import { tree } from './tree.js'

async function read(content: string | Buffer, from = 1, count = 10, change?: (path: string) => void) {
  const folder = tree({ file: content })
  change?.(join(folder, 'file'))
  await using file = await openFile([folder], join(folder, 'file'))
  return await readLines(file, from, count, new AbortController().signal)
}

it.each([
  ['', 1, 10, { lines: [], more: false, totalLines: 0 }],
  ['a', 1, 10, { lines: ['a'], more: false, totalLines: 1 }],
  ['a\n', 1, 10, { lines: ['a'], more: false, totalLines: 1 }],
  ['a\r\nb\r\n', 1, 10, { lines: ['a', 'b'], more: false, totalLines: 2 }],
  ['a\n\nb', 1, 10, { lines: ['a', '', 'b'], more: false, totalLines: 3 }],
  ['a\nb\nc\n', 2, 1, { lines: ['b'], more: true }],
  ['a\nb\nc\n', 3, 1, { lines: ['c'], more: false, totalLines: 3 }],
  ['a\nb\nc\n', 9, 1, { lines: [], more: false, totalLines: 3 }],
] as const)('%j from %i, %i lines', async (content, from, count, expected) => {
  expect(await read(content, from, count)).toEqual({ encoding: 'utf-8', ...expected })
})

it('reads what a file says it is written in', async () => {
  const wide = Buffer.from('\ufeffeins ä\nzwei 😀\n', 'utf16le')
  expect(await read(wide, 2)).toMatchObject({ encoding: 'utf-16le', lines: ['zwei 😀'] })
  expect(await read(Buffer.from(wide).swap16())).toMatchObject({
    encoding: 'utf-16be',
    lines: ['eins ä', 'zwei 😀'],
  })
  expect(await read('\ufeffä\n')).toMatchObject({ encoding: 'utf-8', lines: ['ä'] })
  expect(await read(Buffer.from('ä\n', 'latin1'))).toMatchObject({ encoding: 'windows-1252', lines: ['ä'] })
})

it('refuses what is binary', async () => {
  await expect(read(Buffer.from([1, 0, 2]))).rejects.toThrow(/binary file of 3 bytes/)
})

it('cuts lines that are too long, between characters', async () => {
  const { lines, encoding } = await read(`a${'é'.repeat(300_000)}\nshort\n`)
  expect(lines[0]).toMatch(/^aé+…$/)
  expect(lines[0]?.length).toBeLessThan(2100)
  expect(lines[1]).toBe('short')
  expect(encoding).toBe('utf-8')
})

it('ends a page that gets too long', async () => {
  const page = await read(`${'x'.repeat(1000)}\n`.repeat(2000), 1, 2000)
  expect(page.more).toBe(true)
  expect(page.lines.length).toBeGreaterThan(250)
  expect(page.lines.length).toBeLessThan(270)
})

it('streams huge files', async () => {
  const before = process.memoryUsage().rss
  const line = 'x'.repeat(99)
  const text = `${line}\n`.repeat(1000)
  // Ten thousand lines, and half a gibibyte that is one line.
  const page = await read(text.repeat(10), 10_000, 2, path => truncateSync(path, 2 ** 29))
  expect(page.lines[0]).toBe(line)
  expect(page.lines[1]).toMatch(/^\0+…$/)
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20)
})

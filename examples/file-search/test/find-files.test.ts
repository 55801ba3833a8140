import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { files, names, search, tree } from './tree.js'

const folder = tree({
  'src/server.ts': '',
  'src/client/open-server.ts': 'four',
  'src/client/close.ts': '',
  'docs/serving.md': '',
  'node_modules/x/server.ts': '',
  '.gitignore': 'node_modules\n',
  '.env': '',
})

it.each([
  [{}, ['docs/serving.md', 'src/client/close.ts', 'src/client/open-server.ts', 'src/server.ts']],
  [{ globs: ['*.ts'] }, ['src/client/close.ts', 'src/client/open-server.ts', 'src/server.ts']],
  [{ globs: ['src/*.ts', '*.md'] }, ['docs/serving.md', 'src/server.ts']],
  [{ globs: ['*.ts'], name: 'tclose' }, ['src/client/close.ts']],
  [{ name: 'zzz' }, []],
  [{ path: 'src/client' }, ['src/client/close.ts', 'src/client/open-server.ts']],
  [{ exclude: ['client', '*.md'] }, ['src/server.ts']],
  [{ hidden: true, globs: ['.*'] }, ['.env', '.gitignore']],
  [{ ignored: true, globs: ['server.ts'] }, ['node_modules/x/server.ts', 'src/server.ts']],
])('%j', async (question, expected) => {
  expect(names(folder, await files(folder, question))).toEqual(expected)
})

it('puts the best fuzzy match first', async () => {
  const found = names(folder, await files(folder, { name: 'srcserv' }))
  expect(found[0]).toBe('src/server.ts')
  expect(found).toContain('src/client/open-server.ts')
})

it('tells size and time, and counts what it saw', async () => {
  const page = await files(folder, { globs: ['open-*'] })
  expect(page).toMatchObject({ matches: 1, filesSeen: 4, complete: true, problems: [] })
  expect(page.found[0]?.size).toBe(4)
  expect(Math.abs((page.found[0]?.modified.getTime() ?? 0) - Date.now())).toBeLessThan(600_000)
})

it.each([{}, { name: 'f' }])('pages through everything, once: %j', async question => {
  const many = tree(
    Object.fromEntries(Array.from({ length: 500 }, (_, file) => [`d${file % 9}/f${file}.txt`, ''])),
  )
  const all = names(many, await files(many, question, { maxResults: 1000 }))
  const paged: string[] = []
  let cursor: string | undefined
  do {
    const page = await files(many, question, { maxResults: 90, cursor })
    expect(page.matches).toBe(500)
    paged.push(...names(many, page))
    cursor = page.nextCursor
  } while (cursor !== undefined && paged.length < 2000)
  expect(all).toHaveLength(500)
  expect(paged).toEqual(all)
})

it('finds files that are too large to be searched', async () => {
  const folder = tree({ 'huge.bin': '', 'small.bin': 'hit\n' })
  truncateSync(join(folder, 'huge.bin'), 2 ** 40)
  const page = await files(folder, { globs: ['huge.*'] })
  expect(page.found.map(({ size }) => size)).toEqual([2 ** 40])
  expect((await search(folder, { pattern: 'hit' })).filesSearched).toBe(1)
})

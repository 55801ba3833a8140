import { mkdirSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { grow, hits, LIMITS, search, tree } from './tree.js'

const folder = tree({
  'a.ts': 'const one = 1\nconst Needle = 2\n// the end\n',
  'b/c.md': 'needle needle\r\nno\r\nneedles\r\n',
  'b/.hidden': 'needle\n',
  'build/out.js': 'needle\n',
  'b/deep/skip.log': 'needle\n',
  'b/deep/keep.log': 'needle\n',
  '.gitignore': 'build/\n',
  'b/deep/.ignore': 'skip.log\n',
})

it('finds lines, with what they are in, and leaves out what is hidden and ignored', async () => {
  const page = await search(folder, { pattern: 'needle' })
  expect(hits(folder, page)).toEqual([
    'a.ts:2:const Needle = 2',
    'b/c.md:1:needle needle',
    'b/c.md:3:needles',
    'b/deep/keep.log:1:needle',
  ])
  expect(page.found[0]?.lines[0]?.column).toBe(7)
  expect(page).toMatchObject({
    matches: 4,
    files: 3,
    filesSearched: 3,
    complete: true,
    atLeast: false,
    problems: [],
  })
  expect(page.nextCursor).toBeUndefined()
})

it.each([
  [{ pattern: 'Needle' }, ['a.ts']],
  [{ pattern: 'Needle', case: 'insensitive' }, ['a.ts', 'b/c.md', 'b/deep/keep.log']],
  [{ pattern: 'needle', case: 'sensitive' }, ['b/c.md', 'b/deep/keep.log']],
  [{ pattern: '^needle$', regex: true }, ['b/deep/keep.log']],
  [{ pattern: 'no$', regex: true }, ['b/c.md']],
  [{ pattern: '^needle$' }, []],
  [{ pattern: 'needles', word: true }, ['b/c.md']],
  [{ pattern: 'needle', include: ['*.md'] }, ['b/c.md']],
  [{ pattern: 'needle', include: ['b/*.md', 'a.*'] }, ['a.ts', 'b/c.md']],
  [{ pattern: 'needle', include: ['*.log'] }, ['b/deep/keep.log']],
  [{ pattern: 'needle', include: ['build/**'] }, []],
  [{ pattern: 'needle', exclude: ['deep', '*.ts'] }, ['b/c.md']],
  [{ pattern: 'needle', hidden: true, include: ['.*'] }, ['b/.hidden']],
  [
    { pattern: 'needle', ignored: true, include: ['*.{js,log}'] },
    ['b/deep/keep.log', 'b/deep/skip.log', 'build/out.js'],
  ],
  [{ pattern: 'needle', path: 'b/deep' }, ['b/deep/keep.log']],
  [{ pattern: 'needle', path: 'a.ts' }, ['a.ts']],
  [{ pattern: '-e' }, []],
] as const)('%j', async (question, expected) => {
  const page = await search(folder, question)
  expect(page.found.map(({ path }) => path.slice(folder.length + 1))).toEqual(expected)
})

it('shows the lines around, once each', async () => {
  const around = tree({ 'a.txt': 'one\ntwo x\nthree\nfour x\nfive\nsix\nseven\neight x\n' })
  const page = await search(around, { pattern: 'x', context: 1, include: ['*.txt'] })
  expect(page.found[0]?.lines.filter(({ text }) => text !== 'six')).toEqual([
    { number: 1, text: 'one' },
    { number: 2, text: 'two x', column: 5 },
    { number: 3, text: 'three' },
    { number: 4, text: 'four x', column: 6 },
    { number: 5, text: 'five' },
    { number: 7, text: 'seven' },
    { number: 8, text: 'eight x', column: 7 },
  ])
})

it('pages by path and line through everything, once, in files that come in any order', async () => {
  const content = Object.fromEntries(
    Array.from({ length: 60 }, (_, file) => [
      `d${file % 7}/f${file}.txt`,
      Array.from({ length: (file % 5) + 1 }, (_, line) => `hit ${file} ${line}\nmiss\n`).join(''),
    ]),
  )
  const many = tree(content)
  const all = hits(many, await search(many, { pattern: 'hit' }, { maxResults: 1000 }))
  expect(all).toHaveLength(180)
  const paged: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await search(many, { pattern: 'hit', context: 1 }, { maxResults: 17, cursor })
    expect(page.matches).toBe(180)
    paged.push(...hits(many, page))
    cursor = page.nextCursor
    pages++
  } while (cursor !== undefined && pages < 50)
  expect(paged).toEqual(all)
  expect(pages).toBe(11)
})

it('ends a page that gets too long, and goes on behind it', async () => {
  const long = tree({ 'a.txt': `hit ${'x'.repeat(400)}\n`.repeat(1000) })
  const first = await search(long, { pattern: 'hit' }, { maxResults: 1000 })
  const second = await search(long, { pattern: 'hit' }, { maxResults: 1000, cursor: first.nextCursor })
  expect(hits(long, first).length).toBeGreaterThan(500)
  expect(hits(long, first).length + hits(long, second).length).toBe(1000)
  expect(second.nextCursor).toBeUndefined()
})

it('counts no further in a file than it must, and says so', async () => {
  const page = await search(tree({ 'a.txt': 'hit\n'.repeat(5000) }), { pattern: 'hit' }, { maxResults: 10 })
  expect(page).toMatchObject({ matches: 1000, atLeast: true })
  expect(page.nextCursor).toBeDefined()
})

it('refuses a cursor of another search, or of nobody', async () => {
  const { nextCursor } = await search(folder, { pattern: 'needle' }, { maxResults: 1 })
  await expect(search(folder, { pattern: 'other' }, { cursor: nextCursor })).rejects.toThrow(/another search/)
  await expect(search(folder, { pattern: 'needle' }, { cursor: 'nonsense' })).rejects.toThrow(/no cursor/)
})

it('reads UTF-8, UTF-16 with a mark, and Latin-1, and skips what is binary', async () => {
  const wide = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')
  const texts = tree({
    'plain.txt': 'ein Café\n',
    'marked.txt': '\ufefffirst Café\nCafé\n',
    'little.txt': wide('eins\nein Café 😀\n'),
    'big.txt': wide('ein Café\n').swap16(),
    'latin.txt': Buffer.from('ein Café\nzwei\n', 'latin1'),
    'other.txt': 'Caf鯨\n',
    'binary.txt': Buffer.from('ein Café\n\0\n'),
  })
  const page = await search(texts, { pattern: 'café' })
  expect(hits(texts, page)).toEqual([
    'big.txt:1:ein Café',
    'latin.txt:1:ein Café',
    'little.txt:2:ein Café 😀',
    'marked.txt:1:first Café',
    'marked.txt:2:Café',
    'plain.txt:1:ein Café',
  ])
  expect(page.found.map(({ encoding }) => encoding)).toEqual([
    'utf-16be',
    'windows-1252',
    'utf-16le',
    'utf-8',
    'utf-8',
  ])
  const upper = await search(texts, { pattern: 'CAFÉ', case: 'insensitive', include: ['latin.txt'] })
  expect(upper.matches).toBe(1)
  expect((await search(texts, { pattern: 'Café', path: 'binary.txt' })).found).toEqual([])
})

it('cuts long lines around the match', async () => {
  const long = tree({ 'min.js': `${'é'.repeat(50_000)}needle${'y'.repeat(50_000)}\n` })
  const [file] = (await search(long, { pattern: 'needle' })).found
  expect(file?.lines[0]?.text).toMatch(/^…é+needley+…$/)
  expect(file?.lines[0]?.text.length).toBeLessThan(600)
  expect(file?.lines[0]?.column).toBe(50_001)
})

it('reads ignore files of git at home, and above the folder', async () => {
  const home = tree({ 'git/ignore': '*.tmp\n' })
  vi.stubEnv('XDG_CONFIG_HOME', home)
  const project = tree({
    '.gitignore': 'dist\n',
    'part/dist/a.txt': 'hit\n',
    'part/a.tmp': 'hit\n',
    'part/a.txt': 'hit\n',
  })
  const page = await search(join(project, 'part'), { pattern: 'hit' })
  vi.unstubAllEnvs()
  expect(hits(join(project, 'part'), page)).toEqual(['a.txt:1:hit'])
})

it('takes no options from a configuration of ripgrep', async () => {
  vi.stubEnv('RIPGREP_CONFIG_PATH', join(tree({ rc: '--files-with-matches\n' }), 'rc'))
  expect((await search(folder, { pattern: 'needle' })).matches).toBe(4)
  vi.unstubAllEnvs()
})

it('says what a pattern or a glob lacks', async () => {
  await expect(search(folder, { pattern: '(', regex: true })).rejects.toThrow(/unclosed group/)
  await expect(search(folder, { pattern: 'a(?=b)', regex: true })).rejects.toThrow(/look-around/)
  await expect(search(folder, { pattern: 'a', exclude: ['[z-a]'] })).rejects.toThrow(/glob|range/)
  await expect(search(folder, { pattern: 'a\nb' })).rejects.toThrow(/one line/)
  await expect(search(folder, { pattern: 'x{1000}{1000}{1000}', regex: true })).rejects.toThrow(/size limit/)
})

it('takes no long time, whatever the regular expression', async () => {
  const evil = tree({ 'a.txt': `${'a'.repeat(100_000)}\n` })
  const began = performance.now()
  expect((await search(evil, { pattern: '^(a+)+$|^(a|aa)+b', regex: true })).matches).toBe(1)
  // With backtracking it would take longer than there is time.
  expect(performance.now() - began).toBeLessThan(10_000)
})

it('stops within 100 ms when the caller leaves, and when the time is up', async () => {
  const sparse = tree({ 'huge.txt': 'needle\n' })
  // Half a minute's work, and no room on the disk.
  truncateSync(join(sparse, 'huge.txt'), 64 * 2 ** 30)
  const limits = { ...LIMITS, maxFileSize: 2 ** 50 }
  const controller = new AbortController()
  const searching = search(
    sparse,
    { pattern: 'nothing', path: 'huge.txt' },
    { limits, signal: controller.signal },
  )
  await new Promise(resolve => setTimeout(resolve, 300))
  const left = performance.now()
  controller.abort(new Error('left'))
  await expect(searching).rejects.toThrow('left')
  // It has ended by then: its pipes are closed. A busy machine needs some more.
  expect(performance.now() - left).toBeLessThan(process.env.CI ? 500 : 300)

  const late = await search(
    sparse,
    { pattern: 'nothing', path: 'huge.txt' },
    { limits: { ...limits, timeout: 200 } },
  )
  expect(late).toMatchObject({ complete: false, matches: 0 })
})

it('lets four search, some more wait, and refuses the rest', async () => {
  const sparse = tree({ 'huge.txt': 'needle\n' })
  truncateSync(join(sparse, 'huge.txt'), 64 * 2 ** 30)
  const limits = { ...LIMITS, maxFileSize: 2 ** 50 }
  const controllers = Array.from({ length: 70 }, () => new AbortController())
  const refused: string[] = []
  const left = controllers.map(async ({ signal }) => {
    const searching = search(sparse, { pattern: 'nothing', path: 'huge.txt' }, { limits, signal })
    await searching.catch((error: Error) => error.message === 'left' || refused.push(error.message))
  })
  // The last two find no place.
  await vi.waitFor(() => expect(refused).toHaveLength(2), { timeout: 20_000 })
  expect(refused[0]).toMatch(/^Too many searches/)
  for (const controller of controllers) controller.abort(new Error('left'))
  await Promise.all(left)
  expect(refused).toHaveLength(2)
  expect((await search(folder, { pattern: 'needle' })).matches).toBe(4)
})

it('searches several folders as one', async () => {
  const one = tree({ 'a.txt': 'hit\n' })
  const two = tree({ 'a.txt': 'hit\n', 'b.txt': 'hit\n' })
  const folders = [one, two].sort()
  const first = await search('', { pattern: 'hit' }, { folders, maxResults: 2 })
  const second = await search('', { pattern: 'hit' }, { folders, maxResults: 2, cursor: first.nextCursor })
  const paths = [...first.found, ...second.found].map(({ path }) => path)
  expect(paths).toEqual([`${one}/a.txt`, `${two}/a.txt`, `${two}/b.txt`].sort())
  expect(first.matches).toBe(3)
})

it('follows no links, and so ends in loops of them', async () => {
  const loop = tree({ 'a/b/c.txt': 'hit\n' })
  symlinkSync('..', join(loop, 'a/b/up'))
  symlinkSync(join(loop, 'a'), join(loop, 'again'))
  mkdirSync(join(loop, 'self'))
  symlinkSync('me', join(loop, 'self/me'))
  grow(loop, { 'z.txt': 'hit\n' })
  expect(hits(loop, await search(loop, { pattern: 'hit' }))).toEqual(['a/b/c.txt:1:hit', 'z.txt:1:hit'])
})

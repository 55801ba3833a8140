/** What somebody may try who can write into an allowed folder, or who asks for what is outside of it. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, linkSync, mkdirSync, realpathSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { rgPath } from '@vscode/ripgrep'
import { afterAll, describe, expect, it } from 'vitest'
import { allowedFolders, isInside } from '../src/folders.js'
import { find, openFile, type Proof } from '../src/open-inside.js'
import { placesOf } from '../src/scope.js'
import { files, grow, hits, names, search, tree } from './tree.js'

const base = tree({
  'allowed/a.txt': 'hit inside\n',
  'allowed/deep/b.txt': 'hit inside\n',
  'allowed-not/secret.txt': 'hit secret\n',
  'outside/secret.txt': 'hit secret\n',
  'outside/deep/b.txt': 'hit secret\n',
})
const allowed = join(base, 'allowed')
symlinkSync(join(base, 'outside'), join(allowed, 'folder-link'))
symlinkSync('../outside/secret.txt', join(allowed, 'file-link'))
symlinkSync('deep/b.txt', join(allowed, 'inner-link'))
symlinkSync('loop', join(allowed, 'loop'))
symlinkSync('/proc/self/environ', join(allowed, 'process'))
symlinkSync('/dev/zero', join(allowed, 'zero'))

/** What a tool does with a path: the text, or why not. */
async function read(asked: string, proof?: Proof): Promise<string> {
  await using file = await openFile([allowed], asked, proof)
  return (await file.handle.readFile('utf8')).trim()
}

const PROOFS: readonly Proof[] = process.platform === 'linux' ? ['descriptor', 'names'] : ['names']

describe.each(PROOFS)('proof by %s', proof => {
  it.each([
    '../outside/secret.txt',
    'deep/../../outside/secret.txt',
    '../allowed-not/secret.txt',
    'folder-link/secret.txt',
    'folder-link/../outside/secret.txt',
    'file-link',
    'loop',
    'process',
    'zero/',
    'missing',
    'a.txt/b',
    'A.TXT',
    '',
    '/etc/passwd',
    '//etc/passwd',
    '/proc/self/environ',
    '/proc/self/root/etc/passwd',
    '/dev/stdin',
    'file:///etc/passwd',
    'file:///%2e%2e/etc/passwd',
    'file://elsewhere/etc/passwd',
    'file:///a%2fb',
    'x'.repeat(5000),
    'x/'.repeat(2000),
    'a.txt\0.png',
    join(base, 'outside/secret.txt'),
    join(allowed, '../outside/secret.txt'),
  ])('reads nothing at %j', async asked => {
    await expect(read(asked, proof)).rejects.toThrow(
      /^(There is no ".*" in the allowed folders\.|".*" is a folder, not a file\.|".*" is not a regular file\.|A path cannot have a NUL.*|Not the URI of a file.*)$/,
    )
  })

  it.each([
    'a.txt',
    './deep/../a.txt',
    'inner-link',
    join(base, 'outside/../allowed/a.txt'),
    `file://${allowed}/a.txt`,
  ])('reads %j, which is inside', async asked => expect(await read(asked, proof)).toBe('hit inside'))

  it('says the same of what is outside and of what is missing', async () => {
    const words = (path: string) => read(path, proof).catch(error => error.message.replace(path, ''))
    expect(await words(join(base, 'outside/secret.txt'))).toBe(await words(join(base, 'outside/missing.txt')))
    expect(await words('folder-link/secret.txt')).toBe(await words('folder-link/missing.txt'))
  })

  it('finds nothing outside', async () => {
    for (const path of ['folder-link', 'folder-link/deep', '..', '../outside'])
      await expect(find([allowed], join(allowed, path), proof)).rejects.toThrow(/There is no/)
    expect((await find([allowed], join(allowed, 'deep'), proof)).path).toBe(join(allowed, 'deep'))
  })

  it.skipIf(process.platform === 'win32')('waits for no pipe, socket or device', async () => {
    execFileSync('mkfifo', [join(base, 'allowed', `pipe-${proof}`)])
    await expect(read(`pipe-${proof}`, proof)).rejects.toThrow(/not a regular file/)
    const server = createServer().listen(join(allowed, `s-${proof}`))
    await once(server, 'listening')
    await expect(read(`s-${proof}`, proof)).rejects.toThrow(/not a regular file/)
    server.close()
  })
})

it('neighbours whose names begin alike are not inside', () => {
  expect(isInside('/a/b', '/a/bc')).toBe(false)
  expect(isInside('/a/b', '/a/b/c')).toBe(true)
  expect(isInside('/', '/a')).toBe(true)
})

it('searches follow no links out', async () => {
  expect(hits(allowed, await search(allowed, { pattern: 'hit' }))).toEqual([
    'a.txt:1:hit inside',
    'deep/b.txt:1:hit inside',
  ])
  const found = names(allowed, await files(allowed))
  expect(found).toEqual(['a.txt', 'deep/b.txt'])
  for (const path of ['folder-link', 'file-link', '..', '../outside', '/', 'zero', 'process'])
    await expect(placesOf([allowed], path), path).rejects.toThrow(/There is no|neither a folder/)
})

it.skipIf(process.platform === 'win32')(
  'searches wait for no pipes, and take odd names as they are',
  async () => {
    const far = `${'d'.repeat(200)}/`.repeat(10)
    const odd = tree({
      '-rf.txt': 'hit\n',
      'line\nfeed.txt': 'hit\n',
      '$(id).txt': 'hit\n',
      ' .txt': 'hit\n',
      [`${'n'.repeat(250)}.txt`]: 'hit\n',
      [`${far}far.txt`]: 'hit\n',
    })
    execFileSync('mkfifo', [join(odd, 'pipe')])
    writeFileSync(Buffer.concat([Buffer.from(`${odd}/`), Buffer.from([0xff, 0x2e, 0x78])]), 'hit\n')
    const page = await search(odd, { pattern: 'hit' })
    expect(page.found).toHaveLength(6)
    expect(page.problems).toEqual(['Could not be read as text: 1 file'])
    const found = await files(odd)
    expect(names(odd, found)).toContain('line\nfeed.txt')
    expect(found.found).toHaveLength(6)
    expect(found.problems.join()).toContain('Names that are not UTF-8: 1 file')
  },
)

it.skipIf(process.platform === 'win32')(
  'names what may not be read, and searches the rest',
  async context => {
    const locked = tree({ 'open.txt': 'hit\n', 'locked/a.txt': 'hit\n', 'b.txt': 'hit\n' })
    chmodSync(join(locked, 'locked'), 0)
    chmodSync(join(locked, 'b.txt'), 0)
    chmodSync(locked, 0o755)
    // Root may read everything: be nobody for a while.
    const root = process.geteuid?.() === 0
    const nobody = 65_534
    if (root) process.seteuid?.(nobody)
    try {
      try {
        execFileSync(rgPath, ['--version'])
      } catch {
        return context.skip('nobody may not start programs in this folder')
      }
      const page = await search(locked, { pattern: 'hit' })
      expect(hits(locked, page)).toEqual(['open.txt:1:hit'])
      expect(page.problems.join('\n')).toMatch(/locked: Permission denied/)
      expect(page.problems.join('\n')).toMatch(/b\.txt: Permission denied/)
      expect((await files(locked)).problems.join('\n')).toMatch(/locked: Permission denied/)
      await expect(openFile([locked], join(locked, 'b.txt'))).rejects.toThrow(/There is no/)
    } finally {
      if (root) process.seteuid?.(0)
      chmodSync(join(locked, 'locked'), 0o755)
    }
  },
)

it('takes allowed folders by their real paths, and the outer of two', async () => {
  const link = join(tree({}), 'link')
  symlinkSync(allowed, link)
  expect(await allowedFolders([link, join(allowed, 'deep'), allowed])).toEqual([allowed])
  await expect(allowedFolders([join(allowed, 'a.txt')])).rejects.toThrow(/not a folder/)
  await expect(allowedFolders([join(allowed, 'missing')])).rejects.toThrow(/ENOENT/)
})

describe.skipIf(process.platform !== 'linux')('while a folder is swapped for a link to the outside', () => {
  const arena = tree({
    'inside/swapped/a.txt': 'hit inside\n',
    'outside/a.txt': 'hit secret\n',
    'outside/only.txt': 'hit secret\n',
  })
  const inside = join(arena, 'inside')
  // It does nothing else, thousands of times a second.
  const swapper = spawn(
    process.execPath,
    [
      '-e',
      `const fs = require('node:fs')
       const [folder, spare, outside] = process.argv.slice(1)
       process.on('disconnect', () => process.exit())
       const swap = () => {
         for (let round = 0; round < 200; round++) {
           fs.renameSync(folder, spare)
           fs.symlinkSync(outside, folder)
           fs.unlinkSync(folder)
           fs.renameSync(spare, folder)
         }
         setImmediate(swap)
       }
       swap()`,
      join(inside, 'swapped'),
      join(arena, 'spare'),
      join(arena, 'outside'),
    ],
    { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  )
  afterAll(async () => {
    swapper.kill()
    await once(swapper, 'exit')
  })

  /** Until somebody less careful was fooled twice, and at least `rounds` times. */
  async function rounds(
    atLeast: number,
    careless: () => Promise<boolean>,
    careful: () => Promise<void>,
  ): Promise<number> {
    const until = Date.now() + 30_000
    let fooled = 0
    for (let round = 0; round < atLeast || (fooled < 2 && Date.now() < until); round++) {
      if (await careless()) fooled++
      await careful()
    }
    return fooled
  }

  it('a file is read from inside, or not at all', async () => {
    const path = join(inside, 'swapped/a.txt')
    const text = (answer: Promise<string>) => answer.catch(() => '')
    const checkThenRead = async () =>
      isInside(inside, await realpath(path)) ? await readFile(path, 'utf8') : ''
    let read = 0
    const fooled = await rounds(
      500,
      async () => (await text(checkThenRead())).includes('secret'),
      async () => {
        const found = await text(
          (async () => {
            await using file = await openFile([inside], path)
            return await file.handle.readFile('utf8')
          })(),
        )
        expect(found).not.toContain('secret')
        if (found !== '') read++
      },
    )
    expect(fooled).toBeGreaterThan(0)
    expect(read).toBeGreaterThan(0)
  })

  it('a search shows lines from inside, or none', async () => {
    const raw = async () => {
      try {
        return execFileSync(rgPath, ['hit', './'], {
          cwd: inside,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        })
      } catch {
        return ''
      }
    }
    const fooled = await rounds(
      25,
      async () => (await raw()).includes('secret'),
      async () => {
        const page = await search(inside, { pattern: 'hit', context: 1 })
        expect(JSON.stringify(page.found)).not.toContain('secret')
        expect(JSON.stringify((await files(inside)).found)).not.toContain('only.txt')
      },
    )
    expect(fooled).toBeGreaterThan(0)
  })
})

it('shows nothing that changed during the search, and says so', async () => {
  const folder = tree({ 'a.txt': 'hit one\n', 'b.txt': 'hit two\n' })
  const changed = join(folder, 'a.txt')
  let done = false
  const page = await search(
    folder,
    { pattern: 'hit' },
    {
      onFound: () => {
        if (!done) grow(folder, { 'a.txt': 'changed meanwhile\n' })
        done = true
      },
    },
  )
  expect(hits(folder, page)).toEqual(['b.txt:1:hit two'])
  expect(page.problems).toEqual(['Left out, since their files changed during the search: 1 match'])
  expect(realpathSync(changed)).toBe(changed)
})

it('hard links are files of the folder: nothing says that they are elsewhere as well', async () => {
  const folder = tree({ 'in/x': '', 'out/secret': 'hit\n' })
  linkSync(join(folder, 'out/secret'), join(folder, 'in/hard'))
  expect((await search(join(folder, 'in'), { pattern: 'hit' })).matches).toBe(1)
})

it('an allowed folder that is moved away is not followed to where it went', async () => {
  const folder = tree({ 'a/x.txt': 'hit\n' })
  mkdirSync(join(folder, 'elsewhere'))
  renameSync(join(folder, 'a'), join(folder, 'elsewhere/a'))
  symlinkSync(join(folder, 'elsewhere/a'), join(folder, 'a'))
  const page = await search(join(folder, 'a'), { pattern: 'hit' })
  expect(page.found).toEqual([])
})

import { expect, it } from 'vitest'
import { globTest, nameGlobs } from '../src/globs.js'

it.each([
  ['*.ts', ['a.ts', 'src/a.ts', '.ts'], ['a.tsx', 'a.ts/b', 'ats']],
  ['/a.ts', ['a.ts'], ['src/a.ts']],
  ['src/*.ts', ['src/a.ts'], ['a.ts', 'src/b/a.ts', 'x/src/a.ts']],
  ['src/**', ['src/a', 'src/b/c'], ['source/a', 'a/src/b']],
  ['src/', ['src/a', 'src/b/c'], ['a']],
  ['**/test/*.js', ['test/a.js', 'x/y/test/a.js'], ['test/x/a.js']],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['a/x', 'b', 'a/xb']],
  ['**', ['a', 'a/b'], []],
  ['{a,b}.{js,ts}', ['a.js', 'b.ts', 'x/a.ts'], ['c.js', 'a.md']],
  ['{src/*,test/**/*}.ts', ['src/a.ts', 'test/x/y.ts'], ['src/x/a.ts', 'lib/a.ts']],
  ['{a{b,c},d}', ['ab', 'ac', 'd'], ['a', 'abc']],
  ['[a-c]?[!x].txt', ['b1y.txt', 'cc-.txt'], ['d1y.txt', 'b1x.txt']],
  ['[]a].txt', ['].txt', 'a.txt'], ['b.txt']],
  ['\\*.txt', ['*.txt'], ['a.txt']],
  ['\\{a,b}', ['{a,b}'], ['a']],
  ['a[', ['a['], ['a']],
] as const)('%s', (glob, fits, fitsNot) => {
  const test = globTest([glob])
  for (const path of fits) expect(test(path), path).toBe(true)
  for (const path of fitsNot) expect(test(path), path).toBe(false)
})

it('no globs want everything, several want what one of them wants', () => {
  expect(globTest([])('a')).toBe(true)
  expect(['a.md', 'a.ts', 'a.js'].filter(globTest(['*.ts', '*.md']))).toEqual(['a.md', 'a.ts'])
})

it('takes no long time, whatever the glob', () => {
  const began = performance.now()
  expect(globTest([`${'*a'.repeat(100)}*b`])('a'.repeat(4000))).toBe(false)
  expect(globTest([`${'**/a/'.repeat(50)}b`])('a/'.repeat(2000))).toBe(false)
  // With a search tree it would take years.
  expect(performance.now() - began).toBeLessThan(5000)
})

it.each([['{'.repeat(200)], ['{a,b}'.repeat(10)], ['{a'], ['a\0']])('refuses %j', glob => {
  expect(() => globTest([glob])).toThrow(/glob/i)
})

it('knows what the last name has to be', () => {
  expect(nameGlobs(['src/**/*.ts', '*.{js,ts}'])).toEqual(['*.ts', '*.js'])
  expect(nameGlobs(['src/**'])).toBeUndefined()
  expect(nameGlobs([])).toBeUndefined()
})

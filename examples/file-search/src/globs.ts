/**
 * Globs: `*` and `?` within a name, `**` across folders, `[a-z]`, `{a,b}`, `\` before a character that means itself. One without a slash is
 * about names, one with a slash about paths from the folder that is searched. Their matching takes time in proportion to both lengths,
 * whatever the glob, which that of regular expressions made from globs does not.
 */

import { Refusal } from './refusal.js'

/** Whether a path, with slashes, is what one of the globs wants. No globs want everything. */
export type PathTest = (path: string) => boolean

const MAX_GLOBS = 50
const MAX_ALTERNATIVES = 100

export function globTest(globs: readonly string[]): PathTest {
  if (globs.length === 0) return () => true
  const tests = alternatives(globs).map(compile)
  const wholePath = tests.some(({ whole }) => whole)
  return path => {
    const names = wholePath ? path.split('/') : [path.slice(path.lastIndexOf('/') + 1)]
    return tests.some(({ test }) => test(names))
  }
}

/** Globs that hold for the last name of each path that the globs want, for ripgrep to look at fewer files; undefined where none do. */
export function nameGlobs(globs: readonly string[]): readonly string[] | undefined {
  const names = alternatives(globs).map(glob => glob.slice(glob.lastIndexOf('/') + 1))
  return globs.length === 0 || names.some(name => name === '' || name === '**')
    ? undefined
    : [...new Set(names)]
}

function alternatives(globs: readonly string[]): readonly string[] {
  if (globs.length > MAX_GLOBS) throw new Refusal(`At most ${MAX_GLOBS} globs, please.`)
  return globs.flatMap(glob => {
    if (glob.includes('\0')) throw new Refusal('A glob cannot have a NUL character in it.')
    return expand(glob.replace(/\/$/, '/**'), MAX_ALTERNATIVES)
  })
}

/** `a{b,c}d` as `abd` and `acd`. */
function expand(glob: string, limit: number): readonly string[] {
  const open = next(glob, 0, '{')
  if (open < 0) return [glob]
  const parts: string[] = []
  let depth = 0
  let from = open + 1
  for (let at = open; at < glob.length; at++) {
    const character = glob[at]
    if (character === '\\') at++
    else if (character === '{') depth++
    else if (character === ',' && depth === 1) {
      parts.push(glob.slice(from, at))
      from = at + 1
    } else if (character === '}' && --depth === 0) {
      parts.push(glob.slice(from, at))
      const rest = expand(glob.slice(at + 1), limit)
      const heads = parts.flatMap(part => expand(part, limit))
      if (heads.length * rest.length > limit)
        throw new Refusal(`A glob with more than ${limit} alternatives: ${glob}`)
      return heads.flatMap(head => rest.map(tail => glob.slice(0, open) + head + tail))
    }
  }
  throw new Refusal(`A glob with { and no } to it: ${glob}`)
}

function next(text: string, from: number, wanted: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === wanted) return at
  }
  return -1
}

type Token = (character: string) => boolean
type Names = readonly string[]

function compile(glob: string): { readonly whole: boolean; readonly test: (names: Names) => boolean } {
  if (!glob.includes('/')) {
    const test = nameTest(glob)
    return { whole: false, test: names => test(names.at(-1) ?? '') }
  }
  const parts = glob.replace(/^\//, '').split('/')
  const tests = parts.map(part => (part === '**' ? STAR : nameTest(part)))
  return { whole: true, test: names => wild(tests, names, (test, name) => test(name)) }
}

function nameTest(glob: string): (name: string) => boolean {
  const tokens: (Token | typeof STAR)[] = []
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at] as string
    const close = character === '[' ? glob.indexOf(']', at + (/^\[[!^]?\]/.test(glob.slice(at)) ? 3 : 1)) : -1
    if (character === '*') tokens.push(STAR)
    else if (character === '?') tokens.push(() => true)
    else if (close > 0) {
      tokens.push(classTest(glob.slice(at + 1, close)))
      at = close
    } else {
      const literal = character === '\\' && at + 1 < glob.length ? glob[++at] : character
      tokens.push(other => other === literal)
    }
  }
  return name => wild(tokens, name, (token, character) => token(character))
}

function classTest(inner: string): Token {
  const not = /^[!^]/.test(inner)
  const members = not ? inner.slice(1) : inner
  return character => {
    for (let at = 0; at < members.length; at++) {
      const low = members[at] as string
      const range = members[at + 1] === '-' && at + 2 < members.length
      const high = range ? (members[at + 2] as string) : low
      if (low <= character && character <= high) return !not
      if (range) at += 2
    }
    return not
  }
}

/** Stands for any number of what follows each other: characters of a name, names of a path. */
const STAR = Symbol('star')

/** Only the last star need ever be tried again, so that this is no search tree. */
function wild<T, Item>(
  tokens: readonly (T | typeof STAR)[],
  items: ArrayLike<Item>,
  fits: (token: T, item: Item) => boolean,
): boolean {
  let token = 0
  let item = 0
  let star = -1
  let retry = 0
  while (item < items.length) {
    const wanted = tokens[token]
    if (wanted === STAR) {
      star = token++
      retry = item
    } else if (wanted !== undefined && fits(wanted as T, items[item] as Item)) {
      token++
      item++
    } else if (star >= 0) {
      token = star + 1
      item = ++retry
    } else {
      return false
    }
  }
  while (tokens[token] === STAR) token++
  return token === tokens.length
}

/** Folders for tests, and the questions that they ask most. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { type FilePage, type FileQuestion, type FileSearchOptions, findFiles } from '../src/find-files.js'
import { searchText, type TextPage, type TextQuestion, type TextSearchOptions } from '../src/search-text.js'

/** Makes a folder of files by their paths; it is removed after the tests of the file. */
export function tree(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'file-search-')))
  made.push(folder)
  grow(folder, files)
  return folder
}

export function grow(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}

const made: string[] = []
afterAll(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
})

export const LIMITS = { timeout: 30_000, maxFileSize: 256 * 1024 * 1024 }

const SCOPE = { exclude: [], hidden: false, ignored: false }

export async function search(
  folder: string,
  question: Partial<TextQuestion> & { readonly pattern: string },
  options: Partial<TextSearchOptions> = {},
): Promise<TextPage> {
  return await searchText(
    { ...SCOPE, regex: false, case: 'smart', word: false, context: 0, include: [], ...question },
    { folders: [folder], limits: LIMITS, maxResults: 100, signal: new AbortController().signal, ...options },
  )
}

export async function files(
  folder: string,
  question: Partial<FileQuestion> = {},
  options: Partial<FileSearchOptions> = {},
): Promise<FilePage> {
  return await findFiles(
    { ...SCOPE, globs: [], ...question },
    { folders: [folder], limits: LIMITS, maxResults: 100, signal: new AbortController().signal, ...options },
  )
}

/** As `path:number:text`, of matches only. */
export function hits(folder: string, page: TextPage): readonly string[] {
  return page.found.flatMap(({ path, lines }) =>
    lines
      .filter(({ column }) => column !== undefined)
      .map(({ number, text }) => `${path.slice(folder.length + 1)}:${number}:${text}`),
  )
}

export function names(folder: string, page: FilePage): readonly string[] {
  return page.found.map(({ path }) => path.slice(folder.length + 1))
}

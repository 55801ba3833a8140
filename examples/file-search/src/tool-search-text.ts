/** The tool `search_text`. */

import { z } from 'zod'
import { counted } from './counted.js'
import type { Folders } from './folders.js'
import { linksTo, nameOf, uriOf } from './paths.js'
import { progressOf } from './progress.js'
import { CURSOR, GLOB, MORE, PROBLEMS, SCOPE } from './schemas.js'
import { searchText, type TextPage } from './search-text.js'
import type { Call } from './server.js'
import { shownFile } from './shown-lines.js'
import type { FileMatches } from './text-events.js'

const INPUT = z.object({
  pattern: z.string().min(1).max(1000).describe('What to search for, within a line'),
  regex: z
    .boolean()
    .default(false)
    .describe("Whether the pattern is a regular expression (Rust's: no look-around, no back references)"),
  case: z
    .enum(['smart', 'sensitive', 'insensitive'])
    .default('smart')
    .describe('smart: sensitive where the pattern has a capital letter'),
  word: z.boolean().default(false).describe('Whole words only'),
  context: z.int().min(0).max(10).default(0).describe('Lines to show before and after each match'),
  include: z
    .array(GLOB)
    .max(50)
    .default([])
    .describe('Globs, as *.ts or src/**/*.{js,ts}; a file must fit one'),
  ...SCOPE,
  maxResults: z.int().min(1).max(1000).default(100).describe('Matching lines on this page'),
  cursor: CURSOR,
})

export const SEARCH_TEXT = {
  title: 'Search text',
  description:
    'Searches the content of files for a text or a regular expression, with ripgrep. Honours .gitignore, .ignore and global ignore files, and leaves hidden and binary files out.',
  inputSchema: INPUT,
  outputSchema: z.object({
    files: z.array(
      z.object({
        path: z.string(),
        uri: z.string(),
        encoding: z.string(),
        lines: z.array(
          z.object({
            number: z.int(),
            text: z.string(),
            column: z.int().optional().describe('Of the first match; not in lines around matches'),
          }),
        ),
      }),
    ),
    matches: z.int().describe('Lines that match, on all pages'),
    atLeast: z.boolean().describe('Whether there may be more matches than that'),
    filesWithMatches: z.int(),
    filesSearched: z.int(),
    ...MORE,
    problems: PROBLEMS,
  }),
  annotations: { readOnlyHint: true, openWorldHint: false },
}

export async function searchTextTool(input: z.infer<typeof INPUT>, { folders, limits, context }: Call) {
  const { maxResults, cursor, ...question } = input
  const { signal } = context.mcpReq
  using progress = progressOf(context)
  progress.say(() => 'searching')
  const page = await searchText(question, {
    folders,
    limits,
    maxResults,
    cursor,
    signal,
    // A result comes as it is found, too, once it is proven to be what the caller may see.
    onFound: (counts, latest) =>
      progress.say(async () => {
        const { line, path } = await firstLine(folders, latest, signal)
        const so = `${counted(counts.matches, 'match', 'matches')} in ${counted(counts.files, 'file')} so far`
        return line === undefined
          ? so
          : `${so}; ${path}:${line.number}: ${line.text.trim().slice(0, MAX_NEWS)}`
      }),
  })
  const { found, matches, atLeast, files, filesSearched, complete, nextCursor, problems } = page
  return {
    content: [
      { type: 'text' as const, text: textOf(page, name => nameOf(folders, name)) },
      ...linksTo(
        folders,
        found.map(({ path }) => path),
      ),
    ],
    structuredContent: {
      files: found.map(({ path, encoding, lines }) => ({
        path: nameOf(folders, path),
        uri: uriOf(path),
        encoding,
        lines: lines.map(line => ({ ...line })),
      })),
      matches,
      atLeast: atLeast || !complete,
      filesWithMatches: files,
      filesSearched,
      complete,
      ...(nextCursor === undefined ? {} : { nextCursor }),
      problems: [...problems],
    },
  }
}

/** Characters of a line in a progress message. */
const MAX_NEWS = 120

async function firstLine(folders: Folders, file: FileMatches, signal: AbortSignal) {
  const shown = await shownFile(folders, file, signal)
  return {
    path: nameOf(folders, file.path),
    line: shown?.lines.find(({ column }) => column !== undefined),
  }
}

/** As ripgrep shows it to people: a file, and its lines with a colon behind the number where they match. */
function textOf(page: TextPage, name: (path: string) => string): string {
  const { matches, atLeast, files, filesSearched, complete, nextCursor } = page
  const blocks = page.found.map(({ path, lines }) => {
    const rows = lines.flatMap(({ number, text, column }, index) => {
      const gap =
        index > 0 &&
        number > (lines[index - 1]?.number ?? 0) + 1 &&
        lines.some(line => line.column === undefined)
      return [...(gap ? ['--'] : []), `${number}${column === undefined ? '-' : ':'} ${text}`.trimEnd()]
    })
    return `${[name(path), ...rows].join('\n')}\n`
  })
  const shown = page.found.reduce(
    (sum, { lines }) => sum + lines.filter(({ column }) => column !== undefined).length,
    0,
  )
  const searched = complete ? ` Searched ${counted(filesSearched, 'file')}.` : ''
  return [
    ...blocks,
    `${shown} of ${atLeast || !complete ? 'at least ' : ''}${counted(matches, 'match', 'matches')} in ${counted(files, 'file')}.${searched}`,
    ...(complete
      ? []
      : [
          'The time was up: not all files were searched. Search a smaller folder (path), or fewer files (include).',
        ]),
    ...(nextCursor === undefined ? [] : [`There is more: the same again with cursor ${nextCursor}`]),
    ...page.problems.map(problem => `Problem: ${problem}`),
  ].join('\n')
}

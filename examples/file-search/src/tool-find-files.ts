/** The tool `find_files`. */

import { z } from 'zod'
import { counted } from './counted.js'
import { findFiles } from './find-files.js'
import { linksTo, nameOf, uriOf } from './paths.js'
import { progressOf } from './progress.js'
import { CURSOR, GLOB, MORE, PROBLEMS, SCOPE } from './schemas.js'
import type { Call } from './server.js'

const INPUT = z.object({
  name: z
    .string()
    .max(200)
    .optional()
    .describe(
      'Letters of the name or path in their order; others may stand between them. The best come first',
    ),
  globs: z
    .array(GLOB)
    .max(50)
    .default([])
    .describe('Or globs, as *.ts or src/**/*.{js,ts}; a file must fit one'),
  ...SCOPE,
  maxResults: z.int().min(1).max(1000).default(100),
  cursor: CURSOR,
})

export const FIND_FILES = {
  title: 'Find files',
  description:
    'Finds files by name: fuzzy (name), by globs, or both. Without either it lists all files. Honours .gitignore, .ignore and global ignore files, and leaves hidden files out, unless told otherwise.',
  inputSchema: INPUT,
  outputSchema: z.object({
    files: z.array(z.object({ path: z.string(), uri: z.string(), size: z.int(), modified: z.string() })),
    matches: z.int().describe('Files that fit, on all pages'),
    filesSeen: z.int(),
    ...MORE,
    problems: PROBLEMS,
  }),
  annotations: { readOnlyHint: true, openWorldHint: false },
}

export async function findFilesTool(input: z.infer<typeof INPUT>, { folders, limits, context }: Call) {
  const { maxResults, cursor, ...question } = input
  using progress = progressOf(context)
  progress.say(() => 'walking')
  const page = await findFiles(question, {
    folders,
    limits,
    maxResults,
    cursor,
    signal: context.mcpReq.signal,
    onSeen: (seen, found) => progress.say(() => `${found} of ${counted(seen, 'file')} so far`),
  })
  const { found, matches, filesSeen, complete, nextCursor, problems } = page
  const lines = found.map(({ path }) => nameOf(folders, path))
  return {
    content: [
      {
        type: 'text' as const,
        text: [
          ...lines,
          ...(lines.length > 0 ? [''] : []),
          `${found.length} of ${counted(matches, 'file')} that ${matches === 1 ? 'fits' : 'fit'}, of ${filesSeen}.`,
          ...(complete
            ? []
            : [
                'The time was up: there may be more. Search a smaller folder (path), or ask for fewer files (globs).',
              ]),
          ...(nextCursor === undefined ? [] : [`There is more: the same again with cursor ${nextCursor}`]),
          ...problems.map(problem => `Problem: ${problem}`),
        ].join('\n'),
      },
      ...linksTo(
        folders,
        found.map(({ path }) => path),
      ),
    ],
    structuredContent: {
      files: found.map(({ path, size, modified }) => ({
        path: nameOf(folders, path),
        uri: uriOf(path),
        size,
        modified: modified.toISOString(),
      })),
      matches,
      filesSeen,
      complete,
      ...(nextCursor === undefined ? {} : { nextCursor }),
      problems: [...problems],
    },
  }
}

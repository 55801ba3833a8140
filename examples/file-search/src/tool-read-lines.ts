/** The tool `read_lines`. */

import { z } from 'zod'
import { counted } from './counted.js'
import { openFile } from './open-inside.js'
import { linksTo, nameOf, uriOf } from './paths.js'
import { readLines } from './read-lines.js'
import { Refusal } from './refusal.js'
import { PATH } from './schemas.js'
import { timeLimit } from './scope.js'
import type { Call } from './server.js'

const INPUT = z.object({
  path: PATH.describe('The file: relative, absolute or a file: URI'),
  from: z.int().min(1).default(1).describe('The first line, counted from 1'),
  count: z.int().min(1).max(2000).default(200).describe('How many lines'),
})

export const READ_LINES = {
  title: 'Read lines',
  description:
    'Reads some lines of a text file of any size. UTF-8, UTF-16 with a byte order mark, or else Latin-1.',
  inputSchema: INPUT,
  outputSchema: z.object({
    path: z.string(),
    uri: z.string(),
    encoding: z.string(),
    size: z.int().describe('Bytes of the file'),
    from: z.int(),
    lines: z.array(z.string()),
    nextFrom: z.int().optional().describe('The line to go on with, where there is more'),
    totalLines: z.int().optional().describe('Where the end was reached'),
  }),
  annotations: { readOnlyHint: true, openWorldHint: false },
}

export async function readLinesTool(
  { path, from, count }: z.infer<typeof INPUT>,
  { folders, limits, context }: Call,
) {
  await using file = await openFile(folders, path)
  using limit = timeLimit(context.mcpReq.signal, limits.timeout)
  const page = await readLines(file, from, count, limit.signal).catch(error => {
    if (limit.ranOut()) throw new Refusal(`Line ${from} was not reached within ${limits.timeout / 1000} s.`)
    throw error
  })
  const { lines, encoding, more, totalLines } = page
  const next = from + lines.length
  return {
    content: [
      {
        type: 'text' as const,
        text: [
          ...lines.map((line, index) => `${from + index}: ${line}`.trimEnd()),
          ...(more
            ? [`There is more: go on with from ${next}`]
            : [`The end: ${counted(totalLines ?? 0, 'line')}.`]),
        ].join('\n'),
      },
      ...linksTo(folders, [file.path]),
    ],
    structuredContent: {
      path: nameOf(folders, file.path),
      uri: uriOf(file.path),
      encoding,
      size: file.stats.size,
      from,
      lines: [...lines],
      ...(more ? { nextFrom: next } : {}),
      ...(totalLines === undefined ? {} : { totalLines }),
    },
  }
}

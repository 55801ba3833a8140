/** Arguments and results that the searches have in common. */

import { z } from 'zod'

export const PATH = z.string().min(1).max(4096)
export const GLOB = z.string().min(1).max(300)

export const SCOPE = {
  path: PATH.optional().describe(
    'A folder or file to search: relative, absolute or a file: URI. Default: all allowed folders',
  ),
  exclude: z.array(GLOB).max(50).default([]).describe('Globs of files and folders to leave out'),
  hidden: z.boolean().default(false).describe('Also files and folders whose names begin with a dot'),
  ignored: z.boolean().default(false).describe('Also what ignore files leave out'),
}

export const CURSOR = z
  .string()
  .max(10_000)
  .optional()
  .describe('nextCursor of the page before; all else as it was')

export const MORE = {
  complete: z.boolean().describe('False where the time was up before all files were searched'),
  nextCursor: z.string().optional().describe('Where there is more'),
}

export const PROBLEMS = z.array(z.string()).describe('What could not be searched, and why')

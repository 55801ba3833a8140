/** The MCP server: three tools, and the files that their results link to. */

import { McpServer, ResourceTemplate, type ServerContext } from '@modelcontextprotocol/server'
import { type Folders, narrowed } from './folders.js'
import { readResource } from './read-resource.js'
import { Refusal } from './refusal.js'
import type { Limits } from './scope.js'
import { FIND_FILES, findFilesTool } from './tool-find-files.js'
import { READ_LINES, readLinesTool } from './tool-read-lines.js'
import { SEARCH_TEXT, searchTextTool } from './tool-search-text.js'

export interface FileSearchOptions {
  /** As `allowedFolders` gives them. */
  readonly folders: Folders
  readonly limits: Limits
  /** Whether clients narrow the folders by their roots. */
  readonly roots: boolean
}

/** What a tool works with: folders that this caller may search. */
export interface Call {
  readonly folders: Folders
  readonly limits: Limits
  readonly context: ServerContext
}

/** Milliseconds that a client has to list its roots. */
const ROOTS_TIMEOUT = 10_000

/** A server for one connection. */
export function fileSearchServer(options: FileSearchOptions): McpServer {
  const server = new McpServer(
    { name: 'file-search', title: 'File search', version: '0.1.0' },
    {
      instructions: [
        'Searches files by name (find_files) and by content (search_text), and reads parts of them (read_lines).',
        `Folders: ${options.folders.join(', ')}. Relative paths are relative to ${options.folders.length > 1 ? 'the first of them that has such a path' : 'it'}.`,
        `search_text leaves out files of more than ${Math.round(options.limits.maxFileSize / 2 ** 20)} MiB.`,
      ].join(' '),
    },
  )
  // Asked for at each call: callers with the same capabilities may share a connection, and their roots are their own.
  const callOf = async (context: ServerContext): Promise<Call> => ({
    folders: await callerFolders(server, context, options),
    limits: options.limits,
    context,
  })
  server.registerTool('find_files', FIND_FILES, async (args, context) =>
    answered(async () => findFilesTool(args, await callOf(context))),
  )
  server.registerTool('search_text', SEARCH_TEXT, async (args, context) =>
    answered(async () => searchTextTool(args, await callOf(context))),
  )
  server.registerTool('read_lines', READ_LINES, async (args, context) =>
    answered(async () => readLinesTool(args, await callOf(context))),
  )
  server.registerResource(
    'file',
    new ResourceTemplate('file:///{+path}', { list: undefined }),
    { title: 'A file', description: 'A file in the allowed folders, of up to 1 MiB' },
    async (uri, _, context) => readResource(uri, await callOf(context)),
  )
  return server
}

async function callerFolders(
  server: McpServer,
  context: ServerContext,
  options: FileSearchOptions,
): Promise<Folders> {
  if (!options.roots || server.server.getClientCapabilities()?.roots === undefined) return options.folders
  const { signal } = context.mcpReq
  const { roots } = await context.mcpReq.send({ method: 'roots/list' }, { timeout: ROOTS_TIMEOUT, signal })
  return await narrowed(options.folders, roots)
}

/** A refusal is an answer for the model, which can do better next time. */
async function answered<T>(work: () => Promise<T>) {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { content: [{ type: 'text' as const, text: error.message }], isError: true }
  }
}

#!/usr/bin/env node
/** file-search [options] FOLDER...: what it serves on is a matter of TRANSPORT, PORT and HOST. */

import { parseArgs } from 'node:util'
import { serve } from 'anyport/sdk'
import { allowedFolders } from './folders.js'
import { fileSearchServer } from './server.js'

const HELP = `Usage: file-search [options] FOLDER...

An MCP server that searches these folders, and nothing else, by file name and by content.

Options:
  --timeout SECONDS         for one search (default 30)
  --max-file-size MIB       larger files are not searched (default 256)
  --no-roots                do not narrow the folders to what the client has open
  --help

Environment:
  TRANSPORT                 stdio, http, sse, or a comma list; default: stdio where stdin is a pipe, else http
  PORT, HOST                for HTTP (default 3000, 127.0.0.1)
`

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      timeout: { type: 'string', default: '30' },
      'max-file-size': { type: 'string', default: '256' },
      'no-roots': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
  } else {
    if (positionals.length === 0) throw new Error('name at least one folder that may be searched')
    const limits = {
      timeout: positive('--timeout', values.timeout, 86_400) * 1000,
      maxFileSize: Math.floor(positive('--max-file-size', values['max-file-size'], 1_000_000) * 1024 * 1024),
    }
    const folders = await allowedFolders(positionals)
    const server = await serve(() => fileSearchServer({ folders, limits, roots: !values['no-roots'] }))
    if (server.url !== undefined) console.error(`file-search on ${server.url} and ${server.sseUrl}`)
    // Searches end with what serves them, whether the client has left or somebody stops the program.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => void server.close({ drainTimeout: 0 }))
    await server.closed
    process.exit()
  }
} catch (error) {
  console.error(`file-search: ${error instanceof Error ? error.message : error}\nTry file-search --help`)
  process.exitCode = 2
}

function positive(option: string, text: string, most: number): number {
  const value = Number(text)
  if (!(value > 0 && value <= most))
    throw new Error(`${option}: expected a number above 0, at most ${most}, got "${text}"`)
  return value
}

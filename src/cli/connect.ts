/** The command `anyport connect`: `anyport serve --stdio` for one address. */

import { type ParsedArguments, parseArguments, UsageError } from './arguments.js'
import { CONNECT_OPTIONS } from './connect-options.js'
import { SERVE_OPTIONS } from './serve-options.js'

/** Serves until a signal or the end of stdin; resolves with the exit code. */
export async function connectCommand(argv: readonly string[]): Promise<number> {
  const { serveParsed } = await import('./serve.js')
  return await serveParsed(parseConnect(argv))
}

/** As `serve` would be told. Throws `UsageError`. */
export function parseConnect(argv: readonly string[]): ParsedArguments<typeof SERVE_OPTIONS> {
  const { options, positionals, rest, given } = parseArguments(CONNECT_OPTIONS, argv)
  const [address, ...more] = positionals
  if (rest !== undefined)
    throw new UsageError(
      'connect leads to what runs already; to start a server: anyport serve --stdio -- COMMAND',
    )
  if (address === undefined)
    throw new UsageError('Where to? Write: anyport connect https://mcp.example.com/mcp')
  if (more.length > 0) throw new UsageError(`connect takes one address, not ${positionals.length}`)
  if (!/^(socket:|[a-z][a-z0-9+.-]*:\/\/)/i.test(address))
    throw new UsageError(
      `${JSON.stringify(address)} is no URL; write for example https://mcp.example.com/mcp`,
    )
  const { options: standard } = parseArguments(SERVE_OPTIONS, [])
  return { options: { ...standard, ...options, stdio: true }, positionals, rest, given }
}

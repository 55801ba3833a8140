/** One program, a local tool and a hosted service: who starts it says which. */

import { fstatSync } from 'node:fs'
import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import type { Environment } from './process/environment.js'
import { serve } from './serve.js'
import type { ServeOptions, Server } from './serve-options.js'

export interface ServeByEnvironmentOptions extends Omit<ServeOptions, 'stdio' | 'http'> {
  /**
   * `stdio`, and `http` or `sse`, which are served on one port together. Default: the variable TRANSPORT (a comma list); without it `stdio`
   * where stdin is a pipe, as clients start programs, and `http` where it is not.
   */
  readonly transport?: Transport | readonly Transport[] | undefined
  /** Where TRANSPORT, PORT and HOST are read. Default: the environment of the process. */
  readonly environment?: Environment | undefined
}

type Transport = 'stdio' | 'http' | 'sse'

/**
 * Serves a target on what the options, or else the environment, ask for: `port` is PORT, `host` is HOST there. `beforeHttp` may throw where HTTP
 * cannot be served. Throws `TypeError` for values that
 * cannot work, and rejects as `serve` does.
 */
export async function serveByEnvironment(
  what: Target | RemoteTarget,
  options: ServeByEnvironmentOptions = {},
  beforeHttp: () => void = () => {},
): Promise<Server> {
  const { transport, environment = process.env, ...rest } = options
  const transports = transportsOf(transport ?? environment.TRANSPORT)
  const http = transports.some(name => name !== 'stdio')
  if (http) beforeHttp()
  return await serve(what, {
    ...rest,
    stdio: transports.includes('stdio'),
    http,
    port: options.port ?? portOf(environment.PORT),
    host: options.host ?? (environment.HOST || undefined),
  })
}

function transportsOf(asked: string | readonly string[] | undefined): readonly string[] {
  const names = (typeof asked === 'string' ? asked.split(',') : (asked ?? []))
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '')
  for (const name of names)
    if (!NAMES.has(name)) throw new TypeError(`TRANSPORT: expected stdio, http or sse, got "${name}"`)
  return names.length > 0 ? names : [isPipe() ? 'stdio' : 'http']
}

const NAMES = new Set(['stdio', 'http', 'sse', 'streamable-http'])

function portOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new TypeError(`PORT: expected a number from 0 to 65535, got "${text}"`)
  return port
}

/** Clients start programs with pipes, or with sockets, which Node and others use for them. */
function isPipe(): boolean {
  try {
    const stdin = fstatSync(0)
    return stdin.isFIFO() || stdin.isSocket()
  } catch {
    // Closed.
    return false
  }
}

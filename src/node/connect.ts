/** Targets on this machine: programs to start, sockets to dial. */

import { isUtf8 } from 'node:buffer'
import { resolve } from 'node:path'
import type { Target } from '../client/open.js'
import type { ByteStream, Channel } from '../transport/channel/channel.js'
import { lineChannel } from '../transport/stdio/framing.js'
import { childEnvironment, type Environment } from './process/environment.js'
import { secretsOfEnvironment } from './process/environment-secrets.js'
import type { LaunchPlan } from './process/launch-plan.js'
import { spawnStream } from './process/spawn.js'
import { nameOfCommand, secretsOfArguments } from './process/spawn-error.js'
import { connectSocket, formatSocketAddress, type SocketAddress } from './socket.js'

export interface CommandTarget {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Added to what is inherited: our PATH, locale, proxies and the like, but no secrets (docs/environment.md). */
  readonly env?: Environment
  /** Where inherited values come from; our own environment by default. */
  readonly inherit?: Environment
  /** Inherits our whole environment, secrets included, or these variables of it. Default false. */
  readonly inheritEnv?: boolean | readonly string[]
  /** Receives each line that the program writes to stderr. */
  readonly onStderr?: (line: string) => void
  /** Receives what is about to be started, each time. */
  readonly onLaunch?: (launch: LaunchPlan) => void
  /**
   * Ends it even where our own process is killed: by a small shell that runs beside us, one for all programs. Default true.
   * Not needed, and without effect, on Windows.
   */
  readonly supervise?: boolean
}

/** A server that already listens with the stdio framing. */
export type SocketTarget =
  | { readonly socket: string }
  | { readonly tcp: { readonly host: string; readonly port: number } }

export interface ConnectOptions {
  /** A person's name for it. Default: the command line with what looks secret masked, or the address. */
  readonly name?: string
  /** Bytes that a message from it may have; 64 MiB by default. */
  readonly maxMessage?: number
  /** How deep a message may nest; 128 by default. */
  readonly maxDepth?: number
}

/** A server as what `serve` takes. Nothing is started or dialled before somebody needs it. */
export function connect(target: CommandTarget | SocketTarget, options: ConnectOptions = {}): Target {
  if ('command' in target) {
    if (typeof target.command !== 'string' || target.command === '') {
      throw new TypeError(
        `command: expected the name or path of a program, got ${JSON.stringify(target.command)}`,
      )
    }
    const name = options.name ?? nameOfCommand(target.command, target.args ?? [])
    const { env = {}, inherit = process.env, inheritEnv = false, ...program } = target
    const inheritNames = typeof inheritEnv === 'boolean' ? (inheritEnv ? ['*'] : []) : inheritEnv
    const environment = childEnvironment({ env, inherit, inheritNames })
    return {
      name,
      identity: identityOf(target),
      transport: 'stdio',
      secrets: [
        ...secretsOfEnvironment(environment, env),
        ...secretsOfArguments(target.args ?? []).filter(secret => secret.length >= 4),
      ],
      open: async () => framed(await spawnStream({ ...program, env: environment, name }), options),
    }
  }
  const address: SocketAddress = 'socket' in target ? { path: target.socket } : target.tcp
  const name = options.name ?? formatSocketAddress(address)
  return {
    name,
    identity: formatSocketAddress('path' in address ? { path: resolve(address.path) } : address),
    transport: 'socket',
    open: async () => framed(await connectSocket(address), options),
  }
}

/** The same words mean another program elsewhere, and with other variables it may offer something else. */
function identityOf({ cwd = '.', command, args = [], env = {} }: CommandTarget): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([resolve(cwd), command, ...args, ...(variables.length > 0 ? [variables] : [])])
}

/** The stdio framing over a stream, written once per turn of the event loop. */
export function framed(
  stream: ByteStream,
  { maxMessage, maxDepth, unambiguous = false }: ConnectOptions & { readonly unambiguous?: boolean } = {},
): Channel {
  return lineChannel(stream, {
    unambiguous,
    ...(maxMessage === undefined ? {} : { maxMessage }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
    isUtf8,
    schedule: setImmediate,
  })
}

/**
 * What is said before the stdio framing: one line of JSON from whoever connects, one in reply. All that is secret in it (environments)
 * crosses a socket that only its owner can reach.
 */

import { TransportError } from '../../exchange/errors.js'
import { isObject } from '../../protocol/meta.js'
import type { ByteStream } from '../../transport/channel/channel.js'
import { connectSocket } from '../socket.js'
import type { SharedEntry } from './entry.js'
import { type FirstLine, firstLine } from './first-line.js'

/** Changes where an older one could not be understood. */
const WIRE = 1

export type Wish =
  /** What follows the reply is the stdio framing. */
  | { readonly want: 'serve'; readonly entry: SharedEntry }
  | { readonly want: 'status' }
  /** Ends it; the reply comes when that is done. */
  | { readonly want: 'stop'; readonly drainTimeout: number }

export type Hello = Wish & { readonly version: string }

export type BackgroundState = 'starting' | 'serving' | 'retired'

export interface SharedServerStatus {
  /** The command line with what looks secret masked, or the address. */
  readonly name: string
  readonly clients: number
  /** Processes of it, or connections to it. */
  readonly children: number
  /** Calls under way. */
  readonly calls: number
  /** When it was first asked for, in milliseconds since 1970. */
  readonly since: number
}

export interface BackgroundStatus {
  readonly pid: number
  readonly version: string
  readonly state: BackgroundState
  readonly socket: string
  /** When it started, in milliseconds since 1970. */
  readonly since: number
  readonly servers: readonly SharedServerStatus[]
}

export type Reply =
  | { readonly ok: true; readonly pid: number; readonly version: string; readonly status?: BackgroundStatus }
  /** `retired`: another one will serve. `refused`: nobody would. */
  | { readonly ok: false; readonly reason: 'retired' | 'refused'; readonly message: string }

/** Environments and command lines are limited by the system to 2 MiB or so. */
const HELLO_LIMIT = 8 * 1024 * 1024
const REPLY_LIMIT = 8 * 1024 * 1024

export interface GreetOptions {
  /** Milliseconds that the reply may take. */
  readonly timeout: number
}

/** Connects and greets. Rejects with `TransportError`: ERR_CONNECT where nobody is, ERR_CLOSED, ERR_TIMEOUT, ERR_PROTOCOL. */
export async function greet(address: string, hello: Hello, { timeout }: GreetOptions) {
  const stream = await connectSocket({ path: address }, { timeout })
  try {
    stream.write([`${JSON.stringify({ anyport: WIRE, ...hello })}\n`])
    const { line, rest } = await firstLine(stream, { limit: REPLY_LIMIT, timeout })
    return { reply: parse<Reply>(line, ['ok'], stream), rest }
  } catch (error) {
    void stream.close()
    throw error
  }
}

/** The same where nothing follows. */
export async function ask(address: string, hello: Hello, options: GreetOptions): Promise<Reply> {
  const { reply, rest } = await greet(address, hello, options)
  await rest.close()
  return reply
}

/** Of an error of `greet`: nobody is there any more. Otherwise somebody may be, who is busy or stopped. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false
  if (error.code === 'ERR_CLOSED') return true
  const cause = error.facts.cause as { readonly code?: string } | undefined
  return error.code === 'ERR_CONNECT' && ['ECONNREFUSED', 'ENOENT', 'ENOTSOCK'].includes(cause?.code ?? '')
}

/** The other side of `greet`. Rejects with `TransportError`. */
export async function hear(
  stream: ByteStream,
  { timeout }: GreetOptions,
): Promise<FirstLine & { hello: Hello }> {
  const first = await firstLine(stream, { limit: HELLO_LIMIT, timeout })
  return { ...first, hello: parse<Hello>(first.line, ['want', 'version'], stream) }
}

export function reply(stream: ByteStream, answer: Reply): void {
  stream.write([`${JSON.stringify({ anyport: WIRE, ...answer })}\n`])
}

function parse<T>(line: string, fields: readonly string[], { name }: ByteStream): T {
  let message: unknown
  try {
    message = JSON.parse(line)
  } catch {
    message = undefined
  }
  if (isObject(message) && message.anyport === WIRE && fields.every(field => message[field] !== undefined))
    return message as T
  // Not what it said: there may be secrets in it.
  throw new TransportError('ERR_PROTOCOL', `${name} speaks another language than this version of anyport`, {
    hop: name,
  })
}

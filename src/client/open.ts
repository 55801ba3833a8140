import { Context } from '../exchange/context.js'
import { within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import { finish, type Handler } from '../exchange/exchange.js'
import { type ConnectionOptions, LegacyConnection } from '../legacy/connection.js'
import { detectEra, type ProbeOutcome } from '../legacy/detect.js'
import type { LossListener } from '../legacy/losses.js'
import { identityOf, toModernRequest } from '../legacy/requests.js'
import type { Noise } from '../protocol/line-codec.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { type Implementation, isObject } from '../protocol/meta.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import type { Era } from '../protocol/versions.js'
import type { Calls } from '../transport/channel/calls.js'
import type { Channel } from '../transport/channel/channel.js'
import { connectChannel } from '../transport/channel/connect.js'
import { type ChannelSession, connectSession } from '../transport/channel/connect-session.js'

/** A server that can be reached: a program to start, an address to dial. */
export interface Target {
  /** As a person names it: the command, the address. */
  readonly name: string
  /**
   * What tells it from every other server, for whoever remembers something of it. Default: its name. It may hold secrets, so it
   * is neither shown nor stored as it is.
   */
  readonly identity?: string
  /** Starts or dials it. Each call makes a connection of its own. */
  open(): Promise<Channel>
}

export interface OpenOptions {
  readonly clientInfo: Implementation
  /** How long the server may take to answer the first question about its era, in milliseconds. */
  readonly probeTimeout: number
  /** How long the server may take to answer its handshake, in milliseconds: the cold start of a package included. */
  readonly startTimeout: number
  readonly timeout?: number
  readonly maxTimeout?: number
  readonly noise?: (noise: Noise) => void
  readonly onLoss?: LossListener | undefined
}

export type Opened =
  | { readonly era: 'modern'; readonly calls: Calls; readonly handler: Handler }
  | { readonly era: 'legacy'; readonly calls: Calls; readonly connection: LegacyConnection }

type ProbeOrRace = { readonly kind: 'opened'; readonly opened: Opened } | { readonly kind: 'reopen' }

const INTERNAL = { binding: 'internal' } as const

/**
 * Opens a connection and finds out the server's era, unless it is known. `handshake` says what a legacy server
 * gets to know of the client. Nothing but `server/discover`, `initialize` and one list is ever sent to find out.
 */
export async function openServer(
  target: Target,
  known: Era | undefined,
  handshake: ConnectionOptions,
  options: OpenOptions,
): Promise<Opened> {
  const session = await openSession(target, options)
  try {
    if (known === 'modern') return modern(session)
    if (known === 'legacy') return await legacy(session, handshake, target, options)
    const outcome = await probe(session, handshake, target, options)
    if (outcome.kind === 'opened') return outcome.opened
  } catch (error) {
    void session.calls.channel.close()
    throw error
  }
  const again = await openSession(target, options)
  try {
    return await legacy(again, handshake, target, options)
  } catch (error) {
    void again.calls.channel.close()
    throw error
  }
}

async function openSession(target: Target, options: OpenOptions): Promise<ChannelSession> {
  const channel = await target.open()
  return connectSession(channel, {
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.maxTimeout === undefined ? {} : { maxTimeout: options.maxTimeout }),
    ...(options.noise === undefined ? {} : { noise: options.noise }),
    onLoss: options.onLoss,
  })
}

function modern(session: ChannelSession): Opened {
  return { era: 'modern', calls: session.calls, handler: connectChannel(session.calls) }
}

async function legacy(
  session: ChannelSession,
  handshake: ConnectionOptions,
  target: Target,
  options: OpenOptions,
): Promise<Opened> {
  const context = new Context(INTERNAL)
  const connection = await within(
    LegacyConnection.open(session, handshake, context),
    options.startTimeout,
    () => silent(target, 'initialize', options.startTimeout),
  )
  return { era: 'legacy', calls: session.calls, connection }
}

/**
 * Asks `server/discover`. A server that stays silent may be legacy or only slow to start, so `initialize` follows
 * while the first answer is still welcome: whichever succeeds tells the era.
 */
async function probe(
  session: ChannelSession,
  handshake: ConnectionOptions,
  target: Target,
  options: OpenOptions,
): Promise<ProbeOrRace> {
  const asked = ask(session, METHOD_DISCOVER, options)
  const outcome = await Promise.race([asked, silence(options.probeTimeout)])
  if (outcome.kind === 'silence') {
    const late = asked.then(answer => {
      if (detectEra(answer).era === 'modern') return modern(session)
      throw new Error('not modern')
    })
    try {
      const opened = await Promise.any([legacy(session, handshake, target, options), late])
      return { kind: 'opened', opened }
    } catch (error) {
      const reasons = error instanceof AggregateError ? error.errors : [error]
      throw reasons[0]
    }
  }
  const verdict = detectEra(outcome)
  switch (verdict.era) {
    case 'unsupported':
      throw new TransportError(
        'ERR_HANDSHAKE',
        `${target.name} speaks only protocol versions that anyport does not: ${verdict.supported.join(', ')}`,
        { hop: target.name },
      )
    case 'legacy':
      if (verdict.reopen) return { kind: 'reopen' }
      return { kind: 'opened', opened: await legacy(session, handshake, target, options) }
    case 'modern':
      return { kind: 'opened', opened: await confirmed(session, outcome, handshake, target, options) }
  }
}

/**
 * Some servers answer the probe and then stall, since they wait for `initialize` (they list versions by reflex).
 * So a fresh verdict is confirmed by one list, which changes nothing and which a modern server answers at once.
 */
async function confirmed(
  session: ChannelSession,
  outcome: ProbeOutcome,
  handshake: ConnectionOptions,
  target: Target,
  options: OpenOptions,
): Promise<Opened> {
  const method = outcome.kind === 'response' ? listOf(outcome.response) : undefined
  if (method === undefined) return modern(session)
  const answer = await Promise.race([ask(session, method, options), silence(options.probeTimeout)])
  if (answer.kind === 'response') return modern(session)
  return legacy(session, handshake, target, options)
}

async function ask(session: ChannelSession, method: string, options: OpenOptions): Promise<ProbeOutcome> {
  const request: JSONRPCRequest = toModernRequest(
    { jsonrpc: '2.0', id: method, method },
    identityOf(options.clientInfo, {}, undefined),
  )
  try {
    const exchange = session.calls.call(request, new Context(INTERNAL))
    return { kind: 'response', response: await finish(exchange as ReturnType<Handler>) }
  } catch {
    return { kind: 'closed' }
  }
}

function silence(milliseconds: number): Promise<ProbeOutcome> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve({ kind: 'silence' }), milliseconds)
    ;(timer as { unref?: () => void }).unref?.()
  })
}

function listOf(response: JSONRPCResponse): string | undefined {
  if (!('result' in response)) return undefined
  const { capabilities } = readResult(response.result)
  if (!isObject(capabilities)) return undefined
  if (capabilities.tools !== undefined) return 'tools/list'
  if (capabilities.resources !== undefined) return 'resources/list'
  if (capabilities.prompts !== undefined) return 'prompts/list'
  return undefined
}

function silent(target: Target, method: string, milliseconds: number): TransportError {
  return new TransportError(
    'ERR_TIMEOUT',
    `${target.name} did not answer ${method} within ${milliseconds} ms`,
    {
      hop: target.name,
      knob: '--start-timeout',
    },
  )
}

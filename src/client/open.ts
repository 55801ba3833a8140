import { Context } from '../exchange/context.js'
import { within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import { finish, type Handler } from '../exchange/exchange.js'
import type { ConnectionOptions } from '../legacy/connection.js'
import { detectEra, type ProbeOutcome } from '../legacy/detect.js'
import { identityOf, toModernRequest } from '../legacy/requests.js'
import { RpcError } from '../protocol/errors.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import type { Channel } from '../transport/channel/channel.js'
import { connectChannel } from '../transport/channel/connect.js'
import { type ChannelSession, connectSession } from '../transport/channel/connect-session.js'
import {
  INTERNAL,
  listOf,
  type Opened,
  type Opener,
  type OpenOptions,
  openLegacy,
  type SpareOpener,
  silence,
  unsupported,
} from './opened.js'

/** A server that can be reached: a program to start, an address to dial. */
export interface Target {
  /** As a person names it: the command, the address. */
  readonly name: string
  /**
   * What tells it from every other server, for whoever remembers something of it. Default: its name. It may hold secrets, so it
   * is neither shown nor stored as it is.
   */
  readonly identity?: string
  /** How it is reached, for people. Default: not said. */
  readonly transport?: 'stdio' | 'socket' | undefined
  /** Values that it was given and nobody else should see: they are replaced where what it says is shown to people. Default: none. */
  readonly secrets?: readonly string[] | undefined
  /** Starts or dials it. Each call makes a connection of its own. */
  open(): Promise<Channel>
}

type ProbeOrRace = { readonly kind: 'opened'; readonly opened: Opened } | { readonly kind: 'reopen' }

/** Milliseconds that a program gets to itself while it starts. */
const BETWEEN_SPARES = 1_000

/** Opens pipes. Nothing but `server/discover`, `initialize` and one list is ever sent to find out the era. */
export function channelOpener(target: Target): Opener {
  return async (known, handshake, options, context) => {
    const session = await openSession(target, options, context)
    const outcome = await closedOnFailure(session, context, async (): Promise<ProbeOrRace> => {
      if (known === undefined) return probe(session, handshake, target, options)
      const opened = known === 'modern' ? modern(session) : await legacy(session, handshake, target, options)
      return { kind: 'opened', opened }
    })
    if (outcome.kind === 'opened') return outcome.opened
    session.calls.close().catch(() => {})
    const again = await openSession(target, options, context)
    return closedOnFailure(again, context, () => legacy(again, handshake, target, options))
  }
}

/**
 * Opens pipes before anybody needs them. A modern server is asked whether it is up; a legacy one expects its handshake first,
 * which says who the client is, and many end where anything else is said before.
 */
export function spareChannelOpener(target: Target): SpareOpener {
  return async (era, options, context, opened) => {
    const session = await openSession(target, options, context)
    opened({
      link: session.calls,
      open: (known, handshake, given, own) =>
        closedOnFailure(session, own, async () =>
          known === 'modern' ? modern(session) : await legacy(session, handshake, target, given),
        ),
    })
    if (era === 'legacy') {
      await silence(BETWEEN_SPARES)
      return false
    }
    const request = ownRequest(METHOD_DISCOVER, options)
    const late = () =>
      new TransportError('ERR_TIMEOUT', `${target.name} did not answer within ${options.startTimeout} ms`, {
        hop: target.name,
        knob: '--start-timeout',
      })
    const exchange = session.calls.call(request, new Context(INTERNAL)) as ReturnType<Handler>
    await closedOnFailure(session, context, () => within(finish(exchange), options.startTimeout, late))
    return true
  }
}

async function openSession(target: Target, options: OpenOptions, context: Context): Promise<ChannelSession> {
  const channel = await target.open()
  const session = connectSession(channel, {
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    ...(options.maxTimeout === undefined ? {} : { maxTimeout: options.maxTimeout }),
    ...(options.noise === undefined ? {} : { noise: options.noise }),
    onLoss: options.onLoss,
  })
  if (context.cancelled !== undefined) {
    await channel.close()
    throw new TransportError('ERR_CANCELLED', 'Nobody waits for it any more')
  }
  return session
}

async function closedOnFailure<T>(
  session: ChannelSession,
  context: Context,
  open: () => Promise<T>,
): Promise<T> {
  const off = context.onCancel(() => void session.calls.close())
  try {
    return await open()
  } catch (error) {
    const closing = session.calls.close()
    if (context.cancelled !== undefined) await closing
    throw error
  } finally {
    off()
  }
}

function modern(session: ChannelSession): Opened {
  return { dialect: 'modern', link: session.calls, handler: connectChannel(session.calls) }
}

async function legacy(
  session: ChannelSession,
  handshake: () => ConnectionOptions,
  { name }: Target,
  { startTimeout }: OpenOptions,
): Promise<Opened> {
  const connection = await openLegacy(session, handshake, name, startTimeout)
  return { dialect: 'legacy', link: session.calls, connection }
}

/**
 * Asks `server/discover`. A server that stays silent may be legacy or only slow to start, so `initialize` follows
 * while the first answer is still welcome: whichever succeeds tells the era.
 */
async function probe(
  session: ChannelSession,
  handshake: () => ConnectionOptions,
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
      // It was slow, is legacy, and what we asked it before its handshake has spoiled that: a new one is not asked.
      if (reasons[0] instanceof TransportError && reasons[0].cause instanceof RpcError)
        return { kind: 'reopen' }
      throw reasons[0]
    }
  }
  const verdict = detectEra(outcome)
  switch (verdict.era) {
    case 'unsupported':
      throw unsupported(target.name, verdict.supported)
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
  handshake: () => ConnectionOptions,
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
  const request = ownRequest(method, options)
  try {
    const exchange = session.calls.call(request, new Context(INTERNAL))
    return { kind: 'response', response: await finish(exchange as ReturnType<Handler>) }
  } catch {
    return { kind: 'closed' }
  }
}

/** A request of our own to a modern server. */
function ownRequest(method: string, { clientInfo }: OpenOptions): JSONRPCRequest {
  return toModernRequest({ jsonrpc: '2.0', id: method, method }, identityOf(clientInfo, {}, undefined))
}

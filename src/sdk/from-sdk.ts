/** Servers written with an SDK as what `serve` takes, in this process: no child, no encoding. */

import type { Target } from '../client/open.js'
import { within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Channel } from '../transport/channel/channel.js'
import { SdkChannel } from './sdk-channel.js'

/** `McpServer` and `Server` of the SDKs v1 and v2, `FastMCP`, and whatever else connects itself to a transport of theirs. */
export interface SdkServer {
  /** What it resolves with is closed at the end, where that has a `close`: some make a session of their own. */
  // biome-ignore lint/suspicious/noExplicitAny: each SDK has a type of its own for the same transport
  connect(transport: any): Promise<unknown>
  close?(): Promise<void> | void
}

/** What `serveStdio` of SDK v2 gives: a server that has connected itself. */
export interface ConnectedSdkServer {
  readonly connect?: undefined
  close(): Promise<void> | void
}

/**
 * Makes a server, one for each connection: `() => new McpServer(...)`. One that connects itself is given the transport:
 * `transport => serveStdio(() => new McpServer(...), { transport })`, which is how SDK v2 serves revision 2026-07-28.
 */
export type SdkServerFactory = (
  // biome-ignore lint/suspicious/noExplicitAny: each SDK has a type of its own for the same transport
  transport: any,
) => SdkServer | ConnectedSdkServer | Promise<SdkServer | ConnectedSdkServer>

export interface FromSdkOptions {
  /** A person's name for it. Default: `the SDK server`. */
  readonly name?: string | undefined
}

/** Milliseconds that a server may take to close. */
const CLOSE_LIMIT = 5_000

/**
 * A server of SDK v1 or v2, or of anything with their interface to transports, unmodified, as a target. A function is called
 * for each connection, of which there is one for each kind of caller; a server itself can have one connection at a time, which
 * is enough for stdio. Throws `TypeError` for what is neither.
 */
export function fromSdk(server: SdkServer | SdkServerFactory, options: FromSdkOptions = {}): Target {
  const make = factoryOf(server)
  const { name = 'the SDK server' } = options
  let connected: Channel | undefined
  return {
    name,
    async open() {
      if (typeof server !== 'function' && connected !== undefined) throw onlyOne(name)
      const channel = new SdkChannel(name, async () => {
        connected = undefined
        await closed(name, connecting)
      })
      connected = channel
      const connecting = connection(make, channel)
      try {
        // Some have more to do once they listen, and wait for their client with it.
        await Promise.race([connecting, channel.started])
        connecting.catch(error => channel.fail(notMade(name, error)))
        return channel
      } catch (error) {
        await channel.close()
        throw notMade(name, error)
      }
    },
  }
}

/** Makes a server and has it connected; resolves with what there is to close. */
async function connection(make: SdkServerFactory, channel: SdkChannel): Promise<Closable | undefined> {
  const made = await make(channel.transport)
  if (channel.isStarted || typeof made?.connect !== 'function') return made
  const session = (await made.connect(channel.transport)) as Closable | undefined
  return typeof session?.close === 'function' ? session : made
}

interface Closable {
  close?(): Promise<void> | void
}

/** Whether it is a server of an SDK, or makes one. */
export function isSdkServer(value: unknown): value is SdkServer | SdkServerFactory {
  if (typeof value === 'function') return true
  return typeof value === 'object' && value !== null && typeof (value as SdkServer).connect === 'function'
}

function factoryOf(server: SdkServer | SdkServerFactory): SdkServerFactory {
  if (typeof server === 'function') return server
  if (isSdkServer(server)) return () => server
  throw new TypeError('fromSdk: expected a server of an SDK, or a function that makes one')
}

/** A server that does not close within the limit is left to itself. */
async function closed(name: string, connecting: Promise<Closable | undefined>): Promise<void> {
  try {
    const late = () => new TransportError('ERR_TIMEOUT', `${name} did not close within ${CLOSE_LIMIT} ms`)
    const closing = async () => (await connecting)?.close?.()
    await within(closing(), CLOSE_LIMIT, late)
  } catch {
    // It failed to connect or to close: there is nobody to tell, and nothing left to do.
  }
}

function notMade(name: string, error: unknown): TransportError {
  const why = error instanceof Error ? error.message : String(error)
  return new TransportError('ERR_CONNECT', `${name} could not be made: ${why}`, { hop: name, cause: error })
}

function onlyOne(name: string): TransportError {
  return new TransportError(
    'ERR_BUSY',
    `${name} is a single server, which has one connection at a time; give a function that makes one: () => new McpServer(...)`,
    { hop: name, retryable: true },
  )
}

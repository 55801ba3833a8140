/** What opening a server needs, and what it gives, whatever carries it. */

import { Context } from '../exchange/context.js'
import { within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Handler } from '../exchange/exchange.js'
import { type ConnectionOptions, LegacyConnection } from '../legacy/connection.js'
import type { LossListener } from '../legacy/losses.js'
import type { Session } from '../legacy/session.js'
import type { Noise } from '../protocol/line-codec.js'
import type { JSONRPCResponse } from '../protocol/message.js'
import { type Implementation, isObject } from '../protocol/meta.js'
import { readResult } from '../protocol/raw-json.js'
import type { Era } from '../protocol/versions.js'
import type { CallerSignature } from './caller-credentials.js'
import type { Link } from './link.js'
import type { Within } from './sign-in-clock.js'

/** How a server was found to speak: its era, and where it is HTTP+SSE, that transport of the legacy era. */
export type Dialect = Era | 'sse'

export function eraOf(dialect: Dialect): Era {
  return dialect === 'modern' ? 'modern' : 'legacy'
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
  /** A server that was modern is not any more. Absent where it has to be. */
  readonly onOutdated?: (() => void) | undefined
}

export interface OpenedModern {
  readonly dialect: 'modern'
  readonly link: Link
  readonly handler: Handler
}

export interface OpenedLegacy {
  readonly dialect: 'legacy' | 'sse'
  readonly link: Link
  readonly connection: LegacyConnection
}

export type Opened = OpenedModern | OpenedLegacy

/**
 * Opens a connection to one server, and finds out how it speaks, unless that is known. `handshake` is asked, as late as can be,
 * what a legacy server gets to know of the client. The context is cancelled where nobody waits any more: what was begun is closed by the time that
 * the promise rejects.
 */
export type Opener = (
  known: Dialect | undefined,
  handshake: () => ConnectionOptions,
  options: OpenOptions,
  context: Context,
  /** Of the caller whom it is for, where credentials differ. */
  signature?: CallerSignature,
) => Promise<Opened>

/** A connection that is open, and on which nothing has been said of any client. */
export interface Spare {
  readonly link: Link
  /** Makes it the connection of whoever shakes hands. The era has to be known. */
  readonly open: Opener
}

/**
 * Opens a spare one, which `opened` gets as soon as it can be used. Resolves when it is time to open another one, with whether the
 * server is known to be up.
 */
export type SpareOpener = (
  era: Era,
  options: OpenOptions,
  context: Context,
  opened: (spare: Spare) => void,
) => Promise<boolean>

export const INTERNAL = { binding: 'internal' } as const

/** Shakes hands. `limited` is what limits the time, where that is more than a clock. */
export function openLegacy(
  session: Session,
  handshake: () => ConnectionOptions,
  name: string,
  startTimeout: number,
  limited: Within = within,
): Promise<LegacyConnection> {
  return limited(
    LegacyConnection.open(session, handshake(), new Context(INTERNAL)),
    startTimeout,
    () =>
      new TransportError('ERR_TIMEOUT', `${name} did not answer initialize within ${startTimeout} ms`, {
        hop: name,
        knob: '--start-timeout',
      }),
  )
}

/** The server is modern, of revisions that we do not speak. */
export function unsupported(name: string, supported: readonly string[]): TransportError {
  return new TransportError(
    'ERR_HANDSHAKE',
    `${name} speaks only protocol versions that anyport does not: ${supported.join(', ')}`,
    { hop: name },
  )
}

/** Resolves after so many milliseconds. */
export function silence(milliseconds: number): Promise<{ readonly kind: 'silence' }> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve({ kind: 'silence' }), milliseconds)
    ;(timer as { unref?: () => void }).unref?.()
  })
}

/** A list that the server offers, as its answer to `server/discover` says. */
export function listOf(response: JSONRPCResponse): string | undefined {
  if (!('result' in response)) return undefined
  const { capabilities } = readResult(response.result)
  if (!isObject(capabilities)) return undefined
  if (capabilities.tools !== undefined) return 'tools/list'
  if (capabilities.resources !== undefined) return 'resources/list'
  if (capabilities.prompts !== undefined) return 'prompts/list'
  return undefined
}

/** Opens a server as anyport would, asks what it offers, and closes it again. No tool is ever called. */

import { channelOpener, type Target } from '../../client/open.js'
import { remoteOpener } from '../../client/open-remote.js'
import { eraOf, type Opened, type Opener } from '../../client/opened.js'
import { isRemote, type RemoteTarget } from '../../client/remote.js'
import type { ServerEntry } from '../../config/server-entry.js'
import { Context } from '../../exchange/context.js'
import { within } from '../../exchange/deadline.js'
import { TransportError } from '../../exchange/errors.js'
import type { Handler } from '../../exchange/exchange.js'
import { askOnce } from '../../exchange/list-pages.js'
import { fromSession } from '../../legacy/from-session.js'
import { wholeList } from '../../middleware/exchange/definitions/whole-list.js'
import { version } from '../../node/version.js'
import type { Noise } from '../../protocol/line-codec.js'
import type { JSONObject } from '../../protocol/message.js'
import {
  isObject,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
  META_SERVER_INFO,
} from '../../protocol/meta.js'
import { METHOD_DISCOVER } from '../../protocol/methods.js'
import { type Era, isModernVersion, LATEST_MODERN } from '../../protocol/versions.js'
import type { Channel } from '../../transport/channel/channel.js'

export interface Health {
  readonly era: Era
  readonly transport: 'stdio' | 'streamable-http' | 'sse'
  /** The revision that was agreed on. */
  readonly protocolVersion: string | undefined
  /** What it calls itself. */
  readonly serverName: string | undefined
  readonly serverVersion: string | undefined
  /** From its start, or the first request, until it had answered. */
  readonly milliseconds: number
  readonly tools: number
  readonly resources: number
  readonly prompts: number
}

export type Outcome =
  | { readonly kind: 'healthy'; readonly health: Health }
  /** `during` is what was asked last: `open` until it is known what it speaks. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly during: 'open' | `${string}/list` }

export interface Examination {
  /** For all of it but the closing, in milliseconds. */
  readonly limit: number
  /** What it is said to speak. Default: found out. */
  readonly era?: Era | undefined
  readonly onNoise?: ((noise: Noise) => void) | undefined
}

const CALLER = { binding: 'internal' } as const
/** A server that is silent for so long is asked as a legacy one. */
const PROBE_LIMIT = 3_000
/** Of the closing: a program that ignores all but SIGKILL takes 2.5 s. */
const CLOSE_LIMIT = 5_000

/** Never rejects. What was opened is closed when it resolves. */
export async function examine(target: Target | RemoteTarget, examination: Examination): Promise<Outcome> {
  const { limit } = examination
  const context = new Context(CALLER)
  const channels: Channel[] = []
  const opener = isRemote(target) ? remoteOpener(target) : channelOpener(remembering(target, channels))
  const progress: Progress = { during: 'open' }
  const looking = look(opener, isRemote(target), examination, context, progress)
  const late = () =>
    new TransportError(
      'ERR_TIMEOUT',
      `${target.name} did not answer ${progress.during === 'open' ? '' : `${progress.during} `}within ${seconds(limit)}`,
      { hop: target.name, knob: '--timeout' },
    )
  try {
    return { kind: 'healthy', health: await within(looking, limit, late) }
  } catch (error) {
    return { kind: 'failed', error, during: progress.during }
  } finally {
    context.cancel('timeout')
    const closing = Promise.allSettled([looking, ...channels.map(channel => channel.close())])
    await within(closing, CLOSE_LIMIT, () => new Error('late')).catch(() => {})
  }
}

interface Progress {
  during: Extract<Outcome, { kind: 'failed' }>['during']
}

/** What is opened and given up again, a first start for one, is waited for as well. */
function remembering(target: Target, channels: Channel[]): Target {
  return {
    ...target,
    open: async () => {
      const channel = await target.open()
      channels.push(channel)
      return channel
    },
  }
}

async function look(
  opener: Opener,
  remote: boolean,
  { limit, era, onNoise }: Examination,
  context: Context,
  progress: Progress,
): Promise<Health> {
  const started = performance.now()
  const clientInfo = { name: 'anyport', version: version() }
  const opened = await opener(
    era,
    () => ({ capabilities: {}, clientInfo }),
    {
      clientInfo,
      probeTimeout: Math.min(PROBE_LIMIT, limit / 3),
      startTimeout: limit,
      ...(onNoise === undefined ? {} : { noise: onNoise }),
    },
    context,
  )
  const milliseconds = Math.round(performance.now() - started)
  // Whoever gives up waiting for the lists closes it.
  context.onCancel(() => void close(opened))
  try {
    const meta = {
      [META_PROTOCOL_VERSION]: LATEST_MODERN,
      [META_CLIENT_INFO]: clientInfo,
      [META_CLIENT_CAPABILITIES]: {},
    }
    const { handler, facts } = await introduced(opened, meta, context)
    const count = async (kind: 'tools' | 'resources' | 'prompts'): Promise<number> => {
      if (!isObject(facts.capabilities[kind])) return 0
      progress.during = `${kind}/list`
      return (await wholeList(handler, kind, { caller: CALLER, meta }, limit)).length
    }
    const { name, version: serverVersion } = facts.info
    return {
      era: eraOf(opened.dialect),
      transport: remote ? (opened.dialect === 'sse' ? 'sse' : 'streamable-http') : 'stdio',
      protocolVersion: facts.version,
      serverName: typeof name === 'string' ? name : undefined,
      serverVersion: typeof serverVersion === 'string' ? serverVersion : undefined,
      milliseconds,
      tools: await count('tools'),
      resources: await count('resources'),
      prompts: await count('prompts'),
    }
  } finally {
    await close(opened)
  }
}

interface Introduced {
  readonly handler: Handler
  readonly facts: {
    readonly capabilities: JSONObject
    readonly info: JSONObject
    readonly version: string | undefined
  }
}

async function introduced(opened: Opened, meta: JSONObject, context: Context): Promise<Introduced> {
  if (opened.dialect !== 'modern') {
    const { connection } = opened
    const { capabilities, serverInfo, protocolVersion } = connection.server
    const { handler } = fromSession({ acquire: () => ({ connection, release: () => {} }) })
    return {
      handler,
      facts: {
        capabilities: objectOf(capabilities),
        info: objectOf(serverInfo),
        version: protocolVersion,
      },
    }
  }
  const { handler } = opened
  const result = await askOnce(handler, METHOD_DISCOVER, { _meta: meta }, context)
  const { supportedVersions, capabilities, _meta } = result
  return {
    handler,
    facts: {
      capabilities: objectOf(capabilities),
      info: objectOf(objectOf(_meta)[META_SERVER_INFO]),
      version: Array.isArray(supportedVersions) ? supportedVersions.find(isModernVersion) : undefined,
    },
  }
}

function objectOf(value: unknown): JSONObject {
  return isObject(value) ? value : {}
}

async function close(opened: Opened): Promise<void> {
  if (opened.dialect !== 'modern') await opened.connection.close()
  await opened.link.close()
}

/** As anyport's own settings of a server pin it. */
export function pinnedEra({ settings }: Pick<ServerEntry, 'settings'>): Era | undefined {
  return settings?.protocol === 'auto' ? undefined : settings?.protocol
}

export function seconds(milliseconds: number): string {
  return milliseconds >= 1_000 ? `${Math.round(milliseconds / 100) / 10} s` : `${Math.round(milliseconds)} ms`
}

import { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { finish } from '../exchange/exchange.js'
import type { HttpEndpoint } from '../exchange/http-endpoint.js'
import type { ConnectionOptions } from '../legacy/connection.js'
import { detectHttpEra, mayBeSse } from '../legacy/detect.js'
import { identityOf, toModernRequest } from '../legacy/requests.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import type { Implementation } from '../protocol/meta.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import { connectSession } from '../transport/channel/connect-session.js'
import { connectSse } from '../transport/sse/connect.js'
import { connectHttp } from '../transport/streamable-http/connect.js'
import { connectHttpSession } from '../transport/streamable-http/connect-session.js'
import { type HttpProbe, probeHttp } from '../transport/streamable-http/probe.js'
import {
  type Dialect,
  INTERNAL,
  listOf,
  type Opened,
  type OpenedLegacy,
  type OpenedModern,
  type Opener,
  type OpenOptions,
  openLegacy,
  silence,
  unsupported,
} from './opened.js'
import type { RemoteTarget, RemoteTransport } from './remote.js'
import { signInClock, type Within } from './sign-in-clock.js'

/** How long a stream that may be one of HTTP+SSE may take to say so, in milliseconds. */
const SSE_PROBE = 10_000

interface Opening {
  readonly endpoint: HttpEndpoint
  /** What limits how long the server may take for what it is asked first. */
  readonly within: Within
  readonly transport: RemoteTransport
  readonly handshake: () => ConnectionOptions
  readonly options: OpenOptions
  readonly context: Context
}

/**
 * Opens connections to a server at an HTTP address: as a modern one, then as one with sessions, then on HTTP+SSE (2026-07-28
 * streamable-http, "Backward Compatibility"). Nothing but `server/discover`, `initialize`, a list and a GET is ever sent to find out.
 */
export function remoteOpener({ name, remote }: RemoteTarget): Opener {
  const { transport = 'auto' } = remote
  const shared = signInClock(remote.authorizer)
  let found: Dialect | undefined
  return async (known, handshake, options, context, signature) => {
    if ((remote.credentials === undefined) !== (signature === undefined))
      throw new TypeError('A connection is opened for nobody, or for somebody where credentials are shared')
    const clock = signature?.authorizer === undefined ? shared : signInClock(signature.authorizer)
    const headers = signature === undefined ? remote.headers : { ...remote.headers, ...signature.headers }
    const endpoint: HttpEndpoint = { ...remote, name, headers, authorizer: clock.authorizer }
    const opening: Opening = { endpoint, within: clock.within, transport, handshake, options, context }
    try {
      const opened = await open(opening, known === 'legacy' ? (found ?? known) : known)
      found = opened.dialect
      return opened
    } catch (error) {
      // Whatever failed, the call for which it is opened was not sent.
      if (!(error instanceof TransportError) || error.retryable) throw error
      throw new TransportError(error.code, error.message, { ...error.facts, retryable: true })
    }
  }
}

function open(opening: Opening, known: Dialect | undefined): Promise<Opened> {
  if (opening.transport === 'sse' || known === 'sse') return openSse(opening, opening.options.startTimeout)
  if (known === 'modern') return Promise.resolve(openModern(opening))
  return known === 'legacy' ? openSession(opening) : detect(opening)
}

function openModern(opening: Opening): OpenedModern {
  const { endpoint, transport, options } = opening
  const mayAge = transport !== 'modern' && options.onOutdated !== undefined
  const link = connectHttp(endpoint, {
    ...limitsOf(options),
    onRefusedTool: (tool, reason) => options.onLoss?.('invalid-tool', `${tool}: ${reason}`),
    ...(mayAge ? { isStillModern: () => isStillModern(opening) } : {}),
  })
  return { dialect: 'modern', link, handler: link.handler }
}

/** Only an answer proves that it is not: silence and failures of the network say nothing. */
async function isStillModern({ endpoint, options }: Opening): Promise<boolean> {
  const context = new Context(INTERNAL)
  const asked = probeHttp(endpoint, modernRequest(METHOD_DISCOVER, options.clientInfo), context)
  const probe = await Promise.race([asked.catch(() => undefined), silence(options.probeTimeout)])
  context.cancel('abandoned')
  if (probe === undefined || 'kind' in probe) return true
  const { era } = detectHttpEra(probe)
  if (era !== 'legacy' && era !== 'unsupported') return true
  options.onOutdated?.()
  return false
}

/** With a session, or where the server knows nothing of them, on HTTP+SSE. */
async function openSession(opening: Opening): Promise<OpenedLegacy> {
  const { endpoint, within, transport, handshake, options, context } = opening
  const session = connectHttpSession(endpoint, { ...limitsOf(options), onLoss: options.onLoss })
  const off = context.onCancel(() => void session.close())
  try {
    const connection = await openLegacy(session, handshake, endpoint.name, options.startTimeout, within)
    return { dialect: 'legacy', link: session, connection }
  } catch (error) {
    void session.close()
    const status = error instanceof TransportError ? error.facts.status : undefined
    if (transport !== 'auto' || context.cancelled !== undefined || !mayBeSse(status)) throw error
    return await openSse(opening, Math.min(SSE_PROBE, options.startTimeout)).catch(() => {
      // What the newer transport was told says more than that there is no older one.
      throw error
    })
  } finally {
    off()
  }
}

async function openSse(
  { endpoint, within, handshake, options, context }: Opening,
  startTimeout: number,
): Promise<OpenedLegacy> {
  const channel = await connectSse(endpoint, context, { startTimeout })
  const { noise } = options
  const session = connectSession(channel, {
    ...limitsOf(options),
    ...(noise === undefined ? {} : { noise }),
    onLoss: options.onLoss,
  })
  const off = context.onCancel(() => void channel.close())
  try {
    const connection = await openLegacy(session, handshake, endpoint.name, options.startTimeout, within)
    return { dialect: 'sse', link: session.calls, connection }
  } catch (error) {
    void channel.close()
    throw error
  } finally {
    off()
  }
}

/**
 * Asks `server/discover`. A server that stays silent may be legacy or only slow to start, so `initialize` follows while the first
 * answer is still welcome: whichever succeeds tells the era.
 */
async function detect(opening: Opening): Promise<Opened> {
  const { endpoint, within, options, context } = opening
  const { context: own, release } = context.child()
  const asked = probeHttp(endpoint, modernRequest(METHOD_DISCOVER, options.clientInfo), own).finally(release)
  const first = await unlessSilent(asked, options.probeTimeout, within)
  if (first !== undefined) return await openAs(opening, first)
  const legacy = openLegacyOnly(opening)
  const late = asked.then(probe => {
    if (detectHttpEra(probe).era === 'modern') return openModern(opening)
    throw probe.error
  })
  try {
    const opened = await Promise.any([legacy, late])
    if (opened.dialect === 'modern') legacy.then(loser => loser.link.close()).catch(() => {})
    else own.cancel('abandoned')
    return opened
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}

async function openAs(opening: Opening, probe: HttpProbe): Promise<Opened> {
  const verdict = detectHttpEra(probe)
  switch (verdict.era) {
    case 'modern':
      return await confirmed(opening, probe.response)
    case 'unsupported':
      throw unsupported(opening.endpoint.name, verdict.supported)
    case 'unknown':
      throw probe.error
    case 'legacy':
      if (opening.transport === 'modern') throw notModern(opening, probe)
      return await openSession(opening)
  }
}

/** Some servers answer the probe and then stall: see `open.ts`. What the list says of tools is needed anyway. */
async function confirmed(opening: Opening, response: JSONRPCResponse | undefined): Promise<Opened> {
  const { options, within } = opening
  const opened = openModern(opening)
  const method = response === undefined ? undefined : listOf(response)
  if (method === undefined || opening.transport === 'modern') return opened
  const context = new Context(INTERNAL)
  const answer = finish(opened.handler(modernRequest(method, options.clientInfo), context))
  const answered = answer.then(done, done)
  if ((await unlessSilent(answered, options.probeTimeout, within)) === true) return opened
  context.cancel('timeout')
  return await openSession(opening).catch(() => opened)
}

function openLegacyOnly(opening: Opening): Promise<OpenedLegacy> {
  return opening.transport === 'modern' ? Promise.reject(silent(opening)) : openSession(opening)
}

function modernRequest(method: string, clientInfo: Implementation): JSONRPCRequest {
  return toModernRequest({ jsonrpc: '2.0', id: method, method }, identityOf(clientInfo, {}, undefined))
}

function limitsOf({ timeout, maxTimeout }: OpenOptions) {
  return {
    ...(timeout === undefined ? {} : { timeout }),
    ...(maxTimeout === undefined ? {} : { maxTimeout }),
  }
}

/** Undefined where it took longer. */
async function unlessSilent<T>(
  answer: Promise<T>,
  milliseconds: number,
  within: Within,
): Promise<T | undefined> {
  const late = new Error('late')
  try {
    return await within(answer, milliseconds, () => late)
  } catch (error) {
    if (error !== late) throw error
    return undefined
  }
}

function done(): true {
  return true
}

function silent({ endpoint: { name }, options }: Opening): TransportError {
  const text = `${name} did not answer server/discover within ${options.probeTimeout} ms`
  return new TransportError('ERR_TIMEOUT', text, { hop: name, knob: '--probe-timeout' })
}

function notModern({ endpoint: { name } }: Opening, { response, error }: HttpProbe): TransportError {
  if (response === undefined) return error
  const said = 'error' in response ? `: ${response.error.message}` : ''
  const text = `${name} does not speak revision 2026-07-28, and no other transport is allowed${said}`
  return new TransportError('ERR_HANDSHAKE', text, { hop: name, knob: '--transport' })
}

/** What is seen of a server at an address: each answer, and a few more questions where an answer calls for them. */

import { isRemote, type RemoteTarget, type RemoteTransport } from '../../client/remote.js'
import type { RemoteServer, ServerEntry } from '../../config/server-entry.js'
import { within } from '../../exchange/deadline.js'
import { TransportError } from '../../exchange/errors.js'
import { nameOfUrl } from '../../exchange/http-address.js'
import type { HttpEndpoint } from '../../exchange/http-endpoint.js'
import { serverOf } from '../../node/config/config-servers.js'
import type { HttpClientOptions } from '../../node/http/http-client.js'
import type { SignInOptions } from '../../node/oauth/authorizer-for.js'
import { examine, type Outcome, pinnedEra } from './examine.js'
import { type BrowserFacts, seenByBrowsers } from './probe-browser.js'
import { type MetadataFacts, metadataOf } from './probe-metadata.js'
import { recordingClient, type SeenAnswer } from './recording-client.js'
import { initialize, pingStale } from './single-requests.js'

export interface RemoteFacts {
  readonly kind: 'remote'
  /** Without its secrets. */
  readonly address: string
  readonly host: string
  readonly configured: RemoteTransport
  /** Who calls is said: by a header, in the address, or by a sign-in that is there. */
  readonly signed: 'header' | 'sign-in' | undefined
  readonly answers: readonly SeenAnswer[]
  readonly outcome: Outcome
  /** Asked for where the server wants a sign-in. */
  readonly metadata: MetadataFacts | undefined
  /** What it speaks instead of what is configured. */
  readonly speaks: 'streamable-http' | 'sse' | undefined
  /** Another address of the same host where a server answers. */
  readonly elsewhere: string | undefined
  /** The `Accept` that it answers to, where it refuses the protocol's; `null` where it refuses all that were tried. */
  readonly accepts: string | null | undefined
  /** What it says to a session that it does not know. */
  readonly stale: { readonly status: number } | undefined
  /** What it tells browsers; undefined where it does not let web pages call. */
  readonly cors: BrowserFacts | undefined
}

export interface RemoteProbe {
  readonly file: string
  /** Milliseconds for all but the closing. */
  readonly limit: number
  readonly http?: HttpClientOptions | undefined
  /** Signs with what is there; nobody is asked, and nothing is registered. */
  readonly signIn?: SignInOptions | undefined
}

const ACCEPTS = ['text/event-stream, application/json', '*/*', 'application/json', 'text/event-stream']

/** Never rejects. */
export async function probeRemote(
  entry: ServerEntry & { readonly server: RemoteServer },
  probe: RemoteProbe,
): Promise<RemoteFacts> {
  const { server } = entry
  const until = performance.now() + probe.limit
  const left = () => Math.max(1, until - performance.now())
  const base = {
    kind: 'remote' as const,
    address: nameOfUrl(server.url),
    host: URL.canParse(server.url) ? new URL(server.url).host : '',
    configured: server.transport,
  }
  const answers: SeenAnswer[] = []
  let target: RemoteTarget
  try {
    target = targetOf(entry, probe, answers)
  } catch (error) {
    return {
      ...base,
      ...NOTHING,
      signed: undefined,
      answers,
      outcome: { kind: 'failed', error, during: 'open' },
    }
  }
  const { client } = target.remote
  try {
    const outcome = await examine(target, { limit: left(), era: pinnedEra(entry) })
    const signed = signedBy(server, answers)
    // What is asked from now on is about something else.
    const facts: RemoteFacts = { ...base, ...NOTHING, signed, answers: [...answers], outcome }
    const more = outcome.kind === 'failed' ? afterFailure : afterSuccess
    // An answer to one more question is worth having, and no reason to be late.
    const found = await within(more(facts, target, left), left(), () => new Error('late')).catch(() => ({}))
    return { ...facts, ...found }
  } finally {
    await within(client.close(), 2_000, () => new Error('late')).catch(() => {})
  }
}

const NOTHING = {
  metadata: undefined,
  speaks: undefined,
  elsewhere: undefined,
  accepts: undefined,
  stale: undefined,
  cors: undefined,
}

function targetOf(
  entry: ServerEntry & { readonly server: RemoteServer },
  { file, limit, http, signIn }: RemoteProbe,
  answers: SeenAnswer[],
): RemoteTarget {
  // Who does not even connect is told from who connects and is silent.
  const options = { ...http, connectTimeout: limit * 0.8, responseTimeout: limit, readTimeout: limit }
  const { target } = serverOf(entry, {
    file,
    http: options,
    signIn: signIn && { ...signIn, interactive: false },
  })
  if (typeof target === 'function' || !isRemote(target)) throw new TypeError('an address cannot be a program')
  const { authorizer, client } = target.remote
  // With a secret of its own it gets a token without a person; all others would only be told that they need one.
  const alone = typeof entry.server.auth === 'object' && entry.server.auth.clientSecret !== undefined
  return {
    ...target,
    remote: {
      ...target.remote,
      client: recordingClient(client, answers),
      authorizer:
        authorizer === undefined || alone
          ? authorizer
          : { headers: context => authorizer.headers(context), refused: () => Promise.resolve(false) },
    },
  }
}

function signedBy(server: RemoteServer, answers: readonly SeenAnswer[]): RemoteFacts['signed'] {
  const isNamed = Object.keys(server.headers).some(name => /^(authorization|x-api-key|api-key)$/i.test(name))
  if (isNamed || (URL.canParse(server.url) && new URL(server.url).username !== '')) return 'header'
  return answers.some(({ signed }) => signed) ? 'sign-in' : undefined
}

type More = (facts: RemoteFacts, target: RemoteTarget, left: () => number) => Promise<Partial<RemoteFacts>>

const afterFailure: More = async (facts, target, left) => {
  const status = refusedStatus(facts)
  if (status === 401) return { metadata: await metadataOf(facts.answers, target, left()) }
  const found: { -readonly [K in keyof RemoteFacts]?: RemoteFacts[K] } = {}
  if (status === 406) found.accepts = await acceptedBy(target, left())
  if (!mayBeElsewhere(facts, status)) return found
  if (facts.configured !== 'auto') {
    const other = await speaking({ ...target, remote: { ...target.remote, transport: 'auto' } }, left())
    if (other !== undefined) return { ...found, speaks: other }
  }
  if (status === 404 || status === 405 || status === 200) {
    const elsewhere = await otherAddress(target, left())
    if (elsewhere !== undefined) return { ...found, elsewhere }
  }
  return found
}

/** Of the last request that found out what is there, and was refused. */
export function refusedStatus({
  outcome,
  answers,
}: Pick<RemoteFacts, 'outcome' | 'answers'>): number | undefined {
  const { error } = outcome as { readonly error?: unknown }
  if (error instanceof TransportError && error.facts.status !== undefined) return error.facts.status
  const status = answers.findLast(({ method }) => method === 'POST')?.status
  return status !== undefined && status >= 400 ? status : undefined
}

/** What answers in another way, or not at all, is not asked again. */
function mayBeElsewhere({ outcome, answers }: RemoteFacts, status: number | undefined): boolean {
  if (outcome.kind !== 'failed' || outcome.during !== 'open' || answers.length === 0) return false
  return status === undefined || ![401, 403, 407, 421, 429, 502, 503, 504].includes(status)
}

async function acceptedBy({ remote, name }: RemoteTarget, limit: number): Promise<string | null> {
  for (const accept of ACCEPTS) {
    const answer = await initialize({ ...remote, name }, { accept }, limit / ACCEPTS.length)
    if (answer !== undefined && answer.status >= 200 && answer.status < 300) return accept
  }
  return null
}

async function speaking(target: RemoteTarget, limit: number): Promise<RemoteFacts['speaks']> {
  const outcome = await examine(target, { limit: limit * 0.7 })
  if (outcome.kind === 'failed' || outcome.health.transport === 'stdio') return undefined
  return outcome.health.transport
}

async function otherAddress(target: RemoteTarget, limit: number): Promise<string | undefined> {
  const { remote } = target
  const candidates = ['/mcp', '/sse', '/']
    .map(path => new URL(path, remote.url).href)
    .filter(url => new URL(url).pathname !== new URL(remote.url).pathname)
  const outcomes = await Promise.all(
    candidates.map(url =>
      examine({ ...target, remote: { ...remote, url, transport: 'auto' } }, { limit: limit * 0.7 }),
    ),
  )
  return candidates.find((_url, index) => outcomes[index]?.kind === 'healthy')
}

const afterSuccess: More = async ({ outcome, answers }, { remote, name }, left) => {
  if (outcome.kind === 'failed' || outcome.health.transport !== 'streamable-http') return {}
  const endpoint: HttpEndpoint = { ...remote, name }
  const { era, protocolVersion } = outcome.health
  const hasSessions = answers.some(({ begins }) => begins)
  const [stale, cors] = await Promise.all([
    hasSessions ? pingStale(endpoint, protocolVersion, left()) : undefined,
    seenByBrowsers(endpoint, era, hasSessions, left()),
  ])
  return { stale: stale === undefined ? undefined : { status: stale.status }, cors }
}

/** The same face as functions of AWS Lambda: whoever sends the event, and whether the reply is streamed, it is what the face itself replies. */

import { fetchHandler } from '../../src/fetch.js'
import {
  type LambdaEvent,
  type LambdaStream,
  lambdaHandler,
  type StreamedLambdaHandler,
  streamedLambdaHandler,
} from '../../src/lambda.js'
import { Asked, headersOf, type MadeRequest, madeRequest, makeRequest, mustBeRight } from '../made-request.js'
import { mutateText } from '../mutate.js'
import type { Random } from '../random.js'
import { must, type Target } from '../target.js'

const asked = new Asked()
const expected = new Asked()
const buffered = lambdaHandler(asked.handler, asked.options)
const face = fetchHandler(expected.handler, expected.options)
const streamed = streamedHandler()

/** Far more than anything takes. */
const context = { getRemainingTimeInMillis: () => 20_000 }
const BASE = '/base'
const withBase = lambdaHandler(asked.handler, { ...asked.options, basePath: BASE })

interface Sent extends MadeRequest {
  readonly method: string
  readonly path: string
  readonly query: string
}

type Sender = (sent: Sent) => LambdaEvent

/** Bytes that are no text, and whatever a sender takes for them, come in base 64. */
const SENDERS: Readonly<Record<string, Sender>> = {
  'HTTP API': ({ method, path, query, headers, body }) => ({
    version: '2.0',
    rawPath: `/prod${path}`,
    rawQueryString: query,
    headers,
    requestContext: { domainName: 'localhost', stage: 'prod', http: { method, path: `/prod${path}` } },
    ...bodyOf(body),
  }),
  'function URL': ({ method, path, query, headers, body }) => ({
    version: '2.0',
    rawPath: path,
    rawQueryString: query,
    headers,
    requestContext: { domainName: 'localhost', stage: '$default', http: { method, path } },
    body: Buffer.from(body).toString('base64'),
    isBase64Encoded: true,
  }),
  'REST API': ({ method, path, headers, body }) => ({
    httpMethod: method,
    path,
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: null,
    requestContext: { stage: 'prod', path: `/prod${path}` },
    ...bodyOf(body),
  }),
  'load balancer': ({ method, path, headers, body }) => ({
    httpMethod: method,
    path,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    multiValueQueryStringParameters: {},
    requestContext: { elb: {} },
    ...bodyOf(body),
  }),
}

export const lambda: Target = {
  name: 'lambda-whole',
  weight: 0.5,
  make: makeRequest,
  async check(bytes: Uint8Array, random: Random) {
    const sent = sentBy(random, bytes)
    if (sent === undefined) return
    const wanted = await replyOfFace(sent)
    for (const [name, send] of Object.entries(SENDERS)) {
      const event = changed(random, send(sent))
      const isChanged = event.changed
      asked.last = undefined
      const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = await buffered(
        event.event,
        context,
      )
      const type = headers?.['content-type'] ?? multiValueHeaders?.['content-type']?.[0]
      if (isChanged) {
        must(statusCode < 500 && asked.thrown.length === 0, () => `${name}: ${statusCode} ${body}`)
        continue
      }
      mustBeRight(asked, sent.body, statusCode, type, body)
      must(!isBase64Encoded, 'a reply is text')
      const isListen = statusCode === 404 && body.includes('Subscriptions need streamed replies')
      if (!isListen) mustBeSame(name, wanted, { status: statusCode, body })
    }
    const below = SENDERS['function URL'] as Sender
    const based = await withBase(below({ ...sent, path: BASE + sent.path }), context)
    if (based.statusCode !== 404)
      mustBeSame('below a path', wanted, { status: based.statusCode, body: based.body })
    asked.thrown.length = 0
  },
}

export const lambdaStreamed: Target = {
  name: 'lambda-streamed',
  weight: 0.5,
  make: makeRequest,
  async check(bytes: Uint8Array, random: Random) {
    const sent = sentBy(random, bytes)
    if (sent === undefined) return
    const wanted = await replyOfFace(sent)
    for (const name of ['HTTP API', 'function URL']) {
      const stream = new ReplyStream(random)
      asked.last = undefined
      await streamed((SENDERS[name] as Sender)(sent), stream, context)
      const { left, ended, head, text } = stream
      must(ended === 1, () => `${name}: the stream was ended ${ended} times`)
      if (left) {
        asked.thrown.length = 0
        continue
      }
      must(head !== undefined, () => `${name}: there was no head`)
      mustBeRight(asked, sent.body, head.statusCode, head.headers['content-type'], text)
      mustBeSame(name, wanted, { status: head.statusCode, body: text })
    }
  },
}

interface Reply {
  readonly status: number
  readonly body: string
}

/** Undefined for what is no request at all. */
function sentBy(random: Random, bytes: Uint8Array): Sent | undefined {
  const made = madeRequest(bytes)
  if (made === undefined) return undefined
  const path = random.chance(0.9)
    ? '/mcp'
    : random.pick([
        '/sse',
        '/messages',
        '/healthz',
        '/',
        '/MCP',
        '/mcp/',
        '//mcp',
        '/servers/x/mcp',
        '/%2e%2e/mcp',
      ])
  return {
    ...made,
    method: random.chance(0.95) ? 'POST' : random.pick(['GET', 'HEAD', 'DELETE', 'PUT', 'OPTIONS', 'PATCH']),
    path,
    query: random.chance(0.9) ? '' : random.pick(['sessionId=x', 'a=1&a=2', '%zz', '?', 'path=/mcp']),
  }
}

/** Undefined where the request cannot be one of the web's. */
async function replyOfFace(sent: Sent): Promise<Reply | undefined> {
  const { method, path, query, body } = sent
  const headers = headersOf(sent)
  const host = headers?.get('host') ?? 'localhost'
  // Names that the platform would not accept end before us.
  if (headers === undefined || !/^[a-z]+$/.test(host)) return undefined
  const bare = method === 'GET' || method === 'HEAD'
  const url = `https://${host}${path}${query === '' ? '' : `?${query}`}`
  const reply = await face(new Request(url, { method, headers, ...(bare ? {} : { body }) }))
  expected.thrown.length = 0
  return { status: reply.status, body: await reply.text() }
}

function mustBeSame(name: string, wanted: Reply | undefined, got: Reply): void {
  if (wanted === undefined) return
  must(
    wanted.status === got.status && wanted.body === got.body,
    () => `${name}: ${got.status} ${got.body} in place of ${wanted.status} ${wanted.body}`,
  )
}

/** Rarely, an event that no sender would send. */
function changed(
  random: Random,
  event: LambdaEvent,
): { readonly event: LambdaEvent; readonly changed: boolean } {
  if (!random.chance(0.1)) return { event, changed: false }
  const text = () =>
    mutateText(random, ['/mcp', 'localhost', '2.0', 'prod', '%', 'eyJh'], ['/', '..', '@', ':'])
  const changes: readonly Partial<LambdaEvent>[] = [
    event.rawPath === undefined ? { path: text() } : { rawPath: text() },
    { rawQueryString: text() },
    { headers: { ...event.headers, [text()]: text() } },
    { headers: null, multiValueHeaders: null },
    { cookies: [text(), text()] },
    { body: text(), isBase64Encoded: true },
    { body: null },
    { requestContext: { ...event.requestContext, stage: text(), domainName: text() } },
    { queryStringParameters: { [text()]: text() }, multiValueQueryStringParameters: { a: [text(), text()] } },
  ]
  return { event: { ...event, ...random.pick(changes) }, changed: true }
}

function bodyOf(body: Uint8Array): Pick<LambdaEvent, 'body' | 'isBase64Encoded'> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    return { body: text, isBase64Encoded: false }
  } catch {
    return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true }
  }
}

interface Head {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
}

/** As Lambda's runtime has it. It may be full, and its reader may leave. */
class ReplyStream implements LambdaStream {
  head: Head | undefined
  text = ''
  ended = 0
  left = false
  readonly #random: Random
  readonly #decoder = new TextDecoder()
  readonly #listeners = new Map<string, Set<() => void>>()

  constructor(random: Random) {
    this.#random = random
    if (random.chance(0.1)) queueMicrotask(() => this.#leave())
  }

  write(chunk: Uint8Array): boolean {
    must(
      this.head !== undefined && this.ended === 0,
      'something was written before the head or behind the end',
    )
    this.text += this.#decoder.decode(chunk, { stream: true })
    if (this.left || this.#random.chance(0.7)) return true
    setImmediate(() => {
      if (this.#random.chance(0.2)) this.#leave()
      else this.#emit('drain')
    })
    return false
  }

  end(): void {
    this.ended++
  }

  once(event: string, listener: () => void): this {
    const known = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, known.add(listener))
    return this
  }

  off(event: string, listener: () => void): this {
    this.#listeners.get(event)?.delete(listener)
    return this
  }

  #leave(): void {
    this.left = true
    this.#emit('close')
  }

  #emit(event: string): void {
    const listeners = [...(this.#listeners.get(event) ?? [])]
    this.#listeners.delete(event)
    for (const listener of listeners) listener()
  }
}

/** Made while the runtime of Lambda seems to be there. */
function streamedHandler(): StreamedLambdaHandler {
  const place = globalThis as { awslambda?: unknown }
  place.awslambda = {
    streamifyResponse: (handler: StreamedLambdaHandler) => handler,
    HttpResponseStream: {
      from(stream: ReplyStream, head: Head) {
        must(stream.head === undefined, 'a reply has one head')
        stream.head = head
        return stream
      },
    },
  }
  try {
    return streamedLambdaHandler(asked.handler, asked.options) as StreamedLambdaHandler
  } finally {
    delete place.awslambda
  }
}

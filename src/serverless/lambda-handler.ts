/** A server as a function of AWS Lambda, with replies in one piece or streamed. */

import type { Target } from '../client/open.js'
import type { Handler } from '../exchange/exchange.js'
import { INVALID_REQUEST, METHOD_NOT_FOUND } from '../protocol/errors.js'
import { errorResponse, isRequest } from '../protocol/message.js'
import { METHOD_LISTEN } from '../protocol/methods.js'
import { DEFAULT_MAX_DEPTH, parseMessage } from '../protocol/parse.js'
import { type FetchHandlerOptions, fetchHandler } from './fetch-handler.js'
import {
  type LambdaContext,
  type LambdaEvent,
  type LambdaResult,
  requestOf,
  resultOf,
} from './lambda-event.js'

export interface LambdaHandlerOptions extends FetchHandlerOptions {
  /** What stands before `path` where the function is reached: a base path mapping, a prefix of the load balancer. Default: nothing. */
  readonly basePath?: string | undefined
}

export type LambdaHandler = (event: LambdaEvent, context?: LambdaContext) => Promise<LambdaResult>

/** A stream of Lambda's, to which a streamed reply is written: as much of Node's `Writable` as it takes. */
export interface LambdaStream {
  write(chunk: Uint8Array): boolean
  end(): void
  once(event: 'drain' | 'close' | 'error', listener: () => void): unknown
  off(event: 'drain' | 'close' | 'error', listener: () => void): unknown
}

export type StreamedLambdaHandler = (
  event: LambdaEvent,
  stream: LambdaStream,
  context?: LambdaContext,
) => Promise<void>

/** What the runtime of Lambda puts beside the standard globals. */
interface LambdaRuntime {
  streamifyResponse(handler: StreamedLambdaHandler): unknown
  readonly HttpResponseStream: {
    from(
      stream: LambdaStream,
      head: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> },
    ): LambdaStream
  }
}

/** Milliseconds before Lambda ends the function at which we end the call, so that the client still hears of it. */
const LAST_MOMENT = 500

/**
 * For API Gateway, function URLs and load balancers, which get each reply in one piece. Subscriptions, which have no end, are
 * refused. Throws `TypeError` for options that cannot work.
 */
export function lambdaHandler(what: Handler | Target, options: LambdaHandlerOptions = {}): LambdaHandler {
  // Nobody reads before the end: a stream that only kept the connection alive would be all that arrives.
  const fetch = fetchHandler(what, { ...options, keepAlive: Infinity, streamAfter: Infinity })
  const basePath = basePathOf(options)
  return async (event, context) => {
    const limit = timeLimit(context)
    try {
      const request = requestOf(event, basePath, limit.signal)
      if (request === undefined) return await resultOf(event, malformed())
      const body = await request.clone().text()
      const refused = refusalOf(body)
      return await resultOf(event, refused ?? (await Promise.race([complete(fetch, request), limit.late])))
    } finally {
      limit.end()
    }
  }
}

/**
 * For function URLs and REST APIs with response streaming: each reply is written as it comes. Throws `TypeError` for options
 * that cannot work, and where the runtime of Lambda is not there.
 */
export function streamedLambdaHandler(what: Handler | Target, options: LambdaHandlerOptions = {}): unknown {
  const runtime = (globalThis as { awslambda?: LambdaRuntime }).awslambda
  if (runtime === undefined) {
    throw new TypeError(
      'awslambda is not there: streamed replies need the Node runtime of AWS Lambda; lambdaHandler works without',
    )
  }
  const fetch = fetchHandler(what, options)
  const basePath = basePathOf(options)
  return runtime.streamifyResponse(async (event, raw, context) => {
    const limit = timeLimit(context)
    const leave = () => limit.abort()
    raw.once('close', leave)
    try {
      const request = requestOf(event, basePath, limit.signal)
      const response = request === undefined ? malformed() : await Promise.race([fetch(request), limit.late])
      const { status: statusCode, headers } = response
      const stream = runtime.HttpResponseStream.from(raw, {
        statusCode,
        headers: Object.fromEntries(headers),
      })
      await copy(response, stream, limit.signal)
    } finally {
      raw.off('close', leave)
      limit.end()
    }
  })
}

/** The reply once it is whole. */
async function complete(fetch: (request: Request) => Promise<Response>, request: Request): Promise<Response> {
  const { status, headers, body } = await fetch(request)
  return new Response(body === null ? null : await new Response(body).text(), { status, headers })
}

async function copy(response: Response, stream: LambdaStream, signal: AbortSignal): Promise<void> {
  const reader = response.body?.getReader()
  const stop = () => void reader?.cancel().catch(() => {})
  signal.addEventListener('abort', stop)
  let written = false
  try {
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      written = true
      if (!stream.write(step.value)) await drained(stream)
    }
  } catch {
    // The stream was cut, and ends here for the client as well.
  } finally {
    signal.removeEventListener('abort', stop)
  }
  // Lambda sends the head with the first bytes.
  if (!written) stream.write(new Uint8Array())
  stream.end()
}

function drained(stream: LambdaStream): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      for (const event of ['drain', 'close', 'error'] as const) stream.off(event, done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error'] as const) stream.once(event, done)
  })
}

/** Aborts, and answers, shortly before the function's time is up. */
function timeLimit(context: LambdaContext | undefined) {
  const controller = new AbortController()
  const remaining = context?.getRemainingTimeInMillis?.()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<Response>(resolve => {
    if (remaining === undefined) return
    const end = () => {
      resolve(Response.json(TIME_IS_UP, { status: 504 }))
      controller.abort()
    }
    timer = setTimeout(end, Math.max(0, remaining - LAST_MOMENT))
  })
  return {
    signal: controller.signal,
    late,
    abort: () => controller.abort(),
    end: () => clearTimeout(timer),
  }
}

const TIME_IS_UP = errorResponse(undefined, {
  code: -32603,
  message: 'The time limit of the function is reached; give it more time, or stream the reply',
})

function malformed(): Response {
  const error = { code: INVALID_REQUEST, message: 'The HTTP request is malformed' }
  return Response.json(errorResponse(undefined, error), { status: 400 })
}

/** A subscription would only ever arrive when the function has ended. */
function refusalOf(body: string): Response | undefined {
  if (!body.includes(METHOD_LISTEN)) return undefined
  try {
    // What cannot be read for certain is refused like any other.
    const message = parseMessage(body, { maxDepth: DEFAULT_MAX_DEPTH, unambiguous: true })
    if (!isRequest(message) || message.method !== METHOD_LISTEN) return undefined
    const error = {
      code: METHOD_NOT_FOUND,
      message:
        'Subscriptions need streamed replies, which this function does not give (streamedLambdaHandler does)',
    }
    return Response.json(errorResponse(message.id, error), { status: 404 })
  } catch {
    return undefined
  }
}

function basePathOf({ basePath = '' }: LambdaHandlerOptions): string {
  if (basePath !== '' && !/^(\/[^/?#\s]+)+$/.test(basePath))
    throw new TypeError(`basePath: expected a path such as "/tools", got "${basePath}"`)
  return basePath
}

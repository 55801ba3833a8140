/** Legacy clients served without sessions: each POST stands for itself, nothing can be asked, nothing resumed. */

import { Context } from '../../exchange/context.js'
import { toErrorObject } from '../../exchange/errors.js'
import { finish } from '../../exchange/exchange.js'
import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import type { Body } from '../../exchange/http-body.js'
import { httpCaller } from '../../exchange/http-caller.js'
import { ACCEPTED, because, JSON_HEADERS, refusal } from '../../exchange/http-reply.js'
import { drainingReply } from '../../exchange/in-flight.js'
import { toSession } from '../../legacy/to-session.js'
import { METHOD_NOT_FOUND, RpcError } from '../../protocol/errors.js'
import {
  errorResponse,
  isRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
} from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { METHOD_INITIALIZE } from '../../protocol/methods.js'
import { readResult } from '../../protocol/raw-json.js'
import { isLegacyVersion, type LegacyVersion } from '../../protocol/versions.js'
import type { Accept } from './accept.js'
import { Batch, MAX_BATCH } from './batch.js'
import { type CallStep, CallStream } from './call-stream.js'
import type { LegacyServices } from './legacy.js'
import { answerReply, streamReply } from './reply.js'

/** Answers one POST of a legacy client whose session nobody keeps. */
export async function answerSessionless(
  services: LegacyServices,
  request: HttpRequest,
  body: Body,
  accept: Accept,
  principal: string | undefined,
): Promise<HttpReply> {
  const header = request.header('mcp-protocol-version')
  // 2025-06-18 basic/transports, "Protocol Version Header": an absent one means the revision before it.
  const version = isLegacyVersion(header) ? header : '2025-03-26'
  if (Array.isArray(body)) return answerBatch(services, request, body, principal, version)
  const message = body as JSONRPCMessage
  if (isRequest(message) && NEEDS_SESSION.has(message.method))
    return answerReply(errorResponse(message.id, toErrorObject(needsSession(message.method))))
  // Cancellations name calls of other POSTs, answers name questions that were never asked.
  if (!isRequest(message)) return ACCEPTED
  if (services.inFlight.draining) return because(drainingReply(message.id), undefined, message)
  return answerCall(services, request, message, accept, principal, version)
}

function answerCall(
  services: LegacyServices,
  request: HttpRequest,
  message: JSONRPCRequest,
  accept: Accept,
  principal: string | undefined,
  version: LegacyVersion,
): Promise<HttpReply> {
  const { inFlight, patience } = services
  const context = new Context(httpCaller('streamable-http', request, principal))
  const served = toSession(services.handler, sessionOptions(services, message, version))
  inFlight.begin(context)
  const end = () => {
    inFlight.end(context)
    served[Symbol.asyncDispose]().then(undefined, () => {})
  }
  const exchange = served.request(message, context)
  const failed = (error: unknown) => {
    end()
    return answerReply(errorResponse(message.id, toErrorObject(error)))
  }
  if (!accept.stream) {
    return finish(exchange).then(response => {
      end()
      return answerReply(response)
    }, failed)
  }
  const first = exchange.next()
  const settled = (step: CallStep | undefined) => {
    if (step?.done && accept.json) {
      end()
      return answerReply(message.method === METHOD_INITIALIZE ? withoutSession(step.value) : step.value)
    }
    const onEnd = (finished: boolean) => {
      if (finished) end()
      // Leaving is not cancelling in this era: the call runs to its end, for nobody.
      else finishUnattended(exchange).then(end, end)
    }
    const again = step === undefined ? first : Promise.resolve(step)
    const stream = new CallStream(message.id, exchange, { first: again, onEnd })
    request.onHangup(() => void stream.return())
    return streamReply(stream)
  }
  return patience.first(first, settled, failed)
}

async function answerBatch(
  services: LegacyServices,
  request: HttpRequest,
  messages: readonly JSONRPCMessage[],
  principal: string | undefined,
  version: LegacyVersion,
): Promise<HttpReply> {
  if (version !== '2025-03-26')
    return because(refusal(400, `Batches are not part of revision ${version}`), 'batch')
  if (messages.length > MAX_BATCH)
    return because(refusal(400, `The batch has more than ${MAX_BATCH} messages`), 'batch')
  const requests = messages.filter(isRequest)
  if (requests.some(message => message.method === METHOD_INITIALIZE)) {
    return because(refusal(400, 'The initialize request must not be part of a batch'), 'batch')
  }
  if (requests.length === 0) return ACCEPTED
  if (services.inFlight.draining) return drainingReply()
  const served = toSession(services.handler, { ...services.toSession, version })
  const calls = requests.map(message => {
    const context = new Context(httpCaller('streamable-http', request, principal))
    services.inFlight.begin(context)
    return { request: message, context, exchange: served.request(message, context) }
  })
  const batch = new Batch(calls, call => services.inFlight.end(call.context))
  const responses = await batch.all()
  served[Symbol.asyncDispose]().then(undefined, () => {})
  return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(responses) }
}

function sessionOptions(services: LegacyServices, message: JSONRPCRequest, version: LegacyVersion) {
  return message.method === METHOD_INITIALIZE ? services.toSession : { ...services.toSession, version }
}

/** What is told outside of calls, and what has to be remembered for it. */
const NEEDS_SESSION = new Set(['resources/subscribe', 'resources/unsubscribe'])

function needsSession(method: string): RpcError {
  return new RpcError(
    METHOD_NOT_FOUND,
    `${method} needs a session, and clients of this revision get none here (sessionless)`,
  )
}

/** The answer to `initialize` without the changes that nobody would hear of: there is no stream for them. */
function withoutSession(response: JSONRPCResponse): JSONRPCResponse {
  if (!('result' in response)) return response
  const result = readResult(response.result)
  if (!isObject(result.capabilities)) return response
  const capabilities = Object.entries(result.capabilities).map(([name, capability]) => {
    if (!isObject(capability)) return [name, capability]
    const { listChanged: _listChanged, subscribe: _subscribe, ...rest } = capability
    return [name, rest]
  })
  return { ...response, result: { ...result, capabilities: Object.fromEntries(capabilities) } }
}

async function finishUnattended(
  exchange: ReturnType<ReturnType<typeof toSession>['request']>,
): Promise<void> {
  for (let step = await exchange.next(); !step.done; ) step = await exchange.next()
}

import type { Context } from '../../exchange/context.js'
import type { TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { type HttpEndpoint, sendTo } from '../../exchange/http-endpoint.js'
import { describeAnswer } from '../../exchange/unexpected-answer.js'
import { mirrorHeaders } from '../../protocol/headers.js'
import { isResponse, type JSONRPCRequest, type JSONRPCResponse } from '../../protocol/message.js'
import { type AnswerKind, kindOf, readAnswer } from './answer.js'
import { POST_HEADERS } from './post.js'
import { refusedAnswer } from './refused-answer.js'

/** What came back to a modern request that is sent to find out what is there. */
export interface HttpProbe {
  readonly status: number
  /** Where the answer holds one, whatever the status. */
  readonly response: JSONRPCResponse | undefined
  /** The answer as an error. */
  readonly error: TransportError
}

/** Sends one request. Rejects as `HttpClient.send`, where nothing came back. */
export async function probeHttp(
  endpoint: HttpEndpoint,
  request: JSONRPCRequest,
  context: Context,
): Promise<HttpProbe> {
  const call: HttpCall = {
    method: 'POST',
    url: endpoint.url,
    headers: { ...POST_HEADERS, ...mirrorHeaders(request) },
    body: JSON.stringify(request),
  }
  const answer = await sendTo(endpoint, call, context)
  const { status } = answer
  const kind = kindOf(answer)
  if (status < 200 || status >= 300 || kind === undefined) return refusedAnswer(answer, call)
  const response = await responseOf(answer, kind, endpoint)
  const contentType = answer.header('content-type')
  return { status, response, error: describeAnswer({ status, contentType, text: '' }, call) }
}

function responseOf(
  answer: HttpAnswer,
  kind: AnswerKind,
  endpoint: HttpEndpoint,
): Promise<JSONRPCResponse | undefined> {
  return new Promise(resolve => {
    readAnswer(answer, kind, endpoint, {
      message(message) {
        if (!isResponse(message)) return
        resolve(message)
        // The rest of a stream would hold the connection.
        if (kind === 'events') answer.cancel()
      },
      broken: () => {},
      ended: () => resolve(undefined),
    })
  })
}

/** What a call gets whose answer is none: an HTTP error, something else than a message, a stream that was cut. */

import { asSent, TransportError } from '../../exchange/errors.js'
import type { HttpAnswer, HttpCall } from '../../exchange/http-client.js'
import { describeAnswer } from '../../exchange/unexpected-answer.js'
import { INTERNAL_ERROR, RpcError, TOO_LARGE } from '../../protocol/errors.js'
import { isResponse, type JSONRPCErrorResponse } from '../../protocol/message.js'
import { DEFAULT_MAX_DEPTH, parseMessage } from '../../protocol/parse.js'

export interface RefusedAnswer {
  readonly status: number
  /** Where the body holds one. */
  readonly response: JSONRPCErrorResponse | undefined
  readonly text: string
  /** Says it all to a person. */
  readonly error: TransportError
}

/** Bytes of a refusal's body, and how long it may take to come, in milliseconds. */
const MAX_BODY = 1024 * 1024
const MAX_WAIT = 5_000

/** Reads an answer that holds no result. Never rejects. */
export async function refusedAnswer(answer: HttpAnswer, call: HttpCall): Promise<RefusedAnswer> {
  const text = await textOf(answer)
  const error = describeAnswer(
    {
      status: answer.status,
      contentType: answer.header('content-type'),
      server: answer.header('server'),
      retryAfter: answer.header('retry-after'),
      text,
    },
    answer.call ?? call,
  )
  return { status: answer.status, response: errorIn(text), text, error }
}

/** A call whose answer ended without its response. */
export function cutAnswer(name: string, method: string, cause: Error | undefined): unknown {
  if (cause instanceof TransportError) return asSent(cause)
  return new TransportError('ERR_CLOSED', `${name} ended its answer to ${method} before the response came`, {
    hop: name,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** A call whose answer could not be read. */
export function strangeAnswer(name: string, problem: RpcError): Error {
  return problem.code === TOO_LARGE
    ? new RpcError(TOO_LARGE, `The answer of ${name} could not be taken: ${problem.message}`, problem.data)
    : new RpcError(
        INTERNAL_ERROR,
        `${name} answered with something that is no MCP message: ${problem.message}`,
      )
}

function errorIn(text: string): JSONRPCErrorResponse | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    const message = parseMessage(text, { maxDepth: DEFAULT_MAX_DEPTH })
    return isResponse(message) && 'error' in message ? message : undefined
  } catch {
    return undefined
  }
}

function textOf(answer: HttpAnswer): Promise<string> {
  return new Promise(resolve => {
    const decoder = new TextDecoder()
    let text = ''
    let length = 0
    let done = false
    const finish = () => {
      if (done) return
      done = true
      clearTimeout(timer)
      resolve(text)
    }
    const timer = setTimeout(() => {
      finish()
      answer.cancel()
    }, MAX_WAIT)
    answer.listen({
      data(chunk) {
        if (done) return
        length += chunk.length
        text += decoder.decode(chunk, { stream: true })
        if (length < MAX_BODY) return
        finish()
        answer.cancel()
      },
      closed: finish,
    })
  })
}

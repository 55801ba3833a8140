/** An HTTP client that notes what comes back, for whoever asks afterwards why it did not work. */

import type { HttpAnswer, HttpBodyListener, HttpCall, HttpClient } from '../../exchange/http-client.js'
import { HEADER_SESSION } from '../../protocol/headers.js'

export interface SeenAnswer {
  readonly method: HttpCall['method']
  /** The method of the JSON-RPC request or notification that was sent, where it was one. */
  readonly asked: string | undefined
  /** The request named a session. */
  readonly session: boolean
  /** The answer names one: the session begins with it. */
  readonly begins: boolean
  /** The request said who calls. */
  readonly signed: boolean
  readonly status: number
  /** Of a 401 or 403. */
  readonly challenge: string | undefined
  /** What answered, in its own word (`Server`). */
  readonly by: string | undefined
  /** The answer is an event stream. */
  readonly stream: boolean
  /** Anything of the body has come. */
  readonly heard: boolean
  /** The start of the body of a refusal, as it came. */
  readonly text: string
}

/** Kept of those that were first and last. */
const MAX_ANSWERS = 100
const MAX_TEXT = 4_096

export function recordingClient(client: HttpClient, answers: SeenAnswer[]): HttpClient {
  return {
    prepare: () => client.prepare?.(),
    close: () => client.close(),
    async send(call, context) {
      const answer = await client.send(call, context)
      const seen = { ...describe(call, answer) }
      if (answers.length < MAX_ANSWERS) answers.push(seen)
      return listened(answer, text => {
        seen.heard = true
        if (answer.status >= 400) seen.text = text
      })
    },
  }
}

function describe({ method, headers, body }: HttpCall, answer: HttpAnswer): SeenAnswer {
  const names = Object.keys(headers).map(name => name.toLowerCase())
  const [, asked] = /"method":"([^"\\]+)"/.exec(typeof body === 'string' ? body : '') ?? []
  return {
    method,
    asked,
    session: names.includes(HEADER_SESSION),
    begins: answer.header(HEADER_SESSION) !== undefined,
    signed: names.includes('authorization'),
    status: answer.status,
    challenge: answer.header('www-authenticate'),
    by: answer.header('server')?.slice(0, 40),
    stream: /^\s*text\/event-stream/i.test(answer.header('content-type') ?? ''),
    heard: false,
    text: '',
  }
}

/** The same answer, the start of whose body is told as well. */
function listened(answer: HttpAnswer, onText: (text: string) => void): HttpAnswer {
  const decoder = new TextDecoder()
  let text = ''
  return {
    status: answer.status,
    ...(answer.call === undefined ? {} : { call: answer.call }),
    header: name => answer.header(name),
    pause: () => answer.pause(),
    resume: () => answer.resume(),
    cancel: () => answer.cancel(),
    listen(listener: HttpBodyListener) {
      answer.listen({
        data(chunk) {
          if (text.length < MAX_TEXT) {
            text += decoder.decode(chunk.subarray(0, MAX_TEXT), { stream: true })
            onText(text)
          }
          listener.data(chunk)
        },
        closed: error => listener.closed(error),
      })
    },
  }
}

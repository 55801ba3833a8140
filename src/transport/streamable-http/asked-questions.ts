import type { Call } from '../../exchange/call.js'
import { onlyCandidate } from '../../exchange/call-limits.js'
import type { LossListener } from '../../legacy/losses.js'
import { METHOD_NOT_FOUND } from '../../protocol/errors.js'
import {
  errorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
} from '../../protocol/message.js'

/** Open questions from which on it is looked whether their calls still are. */
const MAX_ASKED = 256
/** Questions that wait until it is clear whose they are, and how long they do, in milliseconds. */
const MAX_UNCLEAR = 64
const UNCLEAR_LIMIT = 10_000

export interface AskedQuestionsOptions {
  readonly open: () => readonly Call[]
  readonly refuse: (response: JSONRPCResponse) => void
  readonly onLoss: LossListener | undefined
}

/** The questions of one server that nobody has answered yet, and the calls that they belong to. */
export class AskedQuestions {
  /**
   * False once the server asked on its standalone stream, where a question does not say which call it is about: from then on
   * calls that may ask have to run one at a time.
   */
  exact = true
  readonly #options: AskedQuestionsOptions
  readonly #asked = new Map<RequestId, Call>()
  #unclear: { readonly question: JSONRPCRequest; readonly timer: ReturnType<typeof setTimeout> }[] = []

  constructor(options: AskedQuestionsOptions) {
    this.#options = options
  }

  /** A question that came on the stream of its call. */
  ask(question: JSONRPCRequest, call: Call): void {
    // Those of calls that ended without their answers.
    if (this.#asked.size >= MAX_ASKED)
      for (const [id, owner] of this.#asked) if (owner.settled) this.#asked.delete(id)
    if (!this.#asked.has(question.id)) call.openQuestions += 1
    this.#asked.set(question.id, call)
    call.push(question)
  }

  /**
   * A question that came on the standalone stream. Nobody guesses between two calls: it waits until it can only be about one,
   * since that one waits for its answer while others end.
   */
  askAside(question: JSONRPCRequest): void {
    this.exact = false
    const open = this.#options.open()
    const call = onlyCandidate(open)
    if (call !== undefined) this.ask(question, call)
    else if (open.length === 0 || this.#unclear.length >= MAX_UNCLEAR) this.#refuse(question)
    else {
      const timer = setTimeout(() => {
        this.#unclear = this.#unclear.filter(entry => entry.question !== question)
        this.#refuse(question)
      }, UNCLEAR_LIMIT)
      this.#unclear.push({ question, timer })
    }
  }

  /** A call has ended: perhaps it is clear now who asked. */
  callEnded(): void {
    if (this.#unclear.length === 0) return
    const open = this.#options.open()
    const call = onlyCandidate(open)
    if (call === undefined && open.length > 0) return
    for (const { question, timer } of this.#unclear.splice(0)) {
      clearTimeout(timer)
      if (call === undefined) this.#refuse(question)
      else this.ask(question, call)
    }
  }

  /** It was answered. */
  settle(id: unknown): Call | undefined {
    const call = this.#asked.get(id as RequestId)
    if (call !== undefined && this.#asked.delete(id as RequestId)) call.openQuestions -= 1
    return call
  }

  /** The server takes a question back: its call gets to know. */
  withdraw(notification: JSONRPCNotification): void {
    const id = notification.params?.requestId
    this.settle(id)?.push(notification)
    for (const entry of this.#unclear) if (entry.question.id === id) clearTimeout(entry.timer)
    this.#unclear = this.#unclear.filter(entry => entry.question.id !== id)
  }

  close(): void {
    for (const { timer } of this.#unclear.splice(0)) clearTimeout(timer)
    this.#asked.clear()
  }

  #refuse(question: JSONRPCRequest): void {
    this.#options.onLoss?.('question-outside-call', question.method)
    this.#options.refuse(
      errorResponse(question.id, {
        code: METHOD_NOT_FOUND,
        message: `${question.method} was asked outside of any call that it could belong to; ask on the stream of the call`,
      }),
    )
  }
}

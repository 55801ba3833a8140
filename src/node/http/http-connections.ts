/** The connections to one origin. */

import type { Client } from 'undici'
import type { TransportError } from '../../exchange/errors.js'
import type { HttpConversation } from './http-conversation.js'

/** Kept for later although nobody uses them; their sockets close by themselves. */
const MAX_IDLE = 64

/**
 * One conversation at a time on each. The connection that became free last is taken first: it is open most likely, and the others can
 * close. Undici's own pool opens a second one for calls that follow each other at once.
 */
export class HttpConnections {
  readonly #idle: Client[] = []
  readonly #waiting = new Set<HttpConversation>()
  readonly #busy = new Set<Client>()

  constructor(
    private readonly make: () => Client,
    private readonly limit: number,
    private readonly maxWaiting: number,
  ) {}

  /** Conversations that have a connection, or wait for one. */
  get size(): number {
    return this.#busy.size + this.#waiting.size
  }

  /** False where too many wait already. */
  start(conversation: HttpConversation): boolean {
    const client = this.#idle.pop() ?? (this.#busy.size < this.limit ? this.make() : undefined)
    if (client !== undefined) {
      this.#busy.add(client)
      this.#dispatch(client, conversation)
      return true
    }
    if (this.#waiting.size >= this.maxWaiting) return false
    this.#waiting.add(conversation)
    return true
  }

  /** The same once more, on the connection that it has. */
  repeat(conversation: HttpConversation): void {
    this.#dispatch(conversation.connection as Client, conversation)
  }

  /** The conversation is over, or does not want to wait any longer. */
  release(conversation: HttpConversation): void {
    const client = conversation.connection
    if (client === undefined) {
      this.#waiting.delete(conversation)
      return
    }
    const [next] = this.#waiting
    if (next !== undefined) {
      this.#waiting.delete(next)
      this.#dispatch(client, next)
      return
    }
    this.#busy.delete(client)
    if (this.#idle.length < MAX_IDLE) this.#idle.push(client)
    else void client.destroy()
  }

  async close(reason: TransportError): Promise<void> {
    for (const conversation of [...this.#waiting]) conversation.stop(reason)
    const clients = [...this.#idle.splice(0), ...this.#busy]
    await Promise.all(clients.map(client => client.destroy(reason)))
  }

  #dispatch(client: Client, conversation: HttpConversation): void {
    conversation.connection = client
    client.dispatch(conversation.request, conversation)
  }
}

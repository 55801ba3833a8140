/** How many connections a server keeps, in all and for each address. */

import type { Socket } from 'node:net'
import type { ConnectionOverLimit } from '../../exchange/refused-connection.js'
import { networkOf } from '../../middleware/exchange/network-of.js'
import { isLoopback } from '../loopback.js'
import { addressOf } from './unreadable-connections.js'

export interface ConnectionLimitsOptions {
  readonly maxClients: number
  readonly maxClientsPerAddress: number
  /** Addresses for which only `maxClients` counts. Default: those of this machine, where one address is everybody. */
  readonly uncounted?: ((address: string) => boolean) | undefined
  readonly onRefusedConnection?: ((refused: ConnectionOverLimit) => void) | undefined
}

export class ConnectionLimits {
  readonly #options: ConnectionLimitsOptions
  readonly #isUncounted: (address: string) => boolean
  /** Connections by network; those without any are forgotten. */
  readonly #byAddress = new Map<string, number>()
  #open = 0

  constructor(options: ConnectionLimitsOptions) {
    this.#options = options
    this.#isUncounted = options.uncounted ?? isLoopback
  }

  /** Counts a connection until it closes; false for one too many, which is not counted. */
  admit(socket: Socket): boolean {
    const { maxClients, maxClientsPerAddress, onRefusedConnection } = this.#options
    const address = addressOf(socket)
    if (this.#open >= maxClients) {
      onRefusedConnection?.({ reason: 'connections', limit: 'maxClients', allowed: maxClients, address })
      return false
    }
    // Without an address it has gone already.
    const counted = address === undefined || this.#isUncounted(address) ? undefined : networkOf(address)
    const before = counted === undefined ? 0 : (this.#byAddress.get(counted) ?? 0)
    if (before >= maxClientsPerAddress) {
      const limit = 'maxClientsPerAddress'
      onRefusedConnection?.({ reason: 'connections', limit, allowed: maxClientsPerAddress, address })
      return false
    }
    this.#open += 1
    if (counted !== undefined) this.#byAddress.set(counted, before + 1)
    socket.on('close', () => this.#left(counted))
    return true
  }

  #left(counted: string | undefined): void {
    this.#open -= 1
    if (counted === undefined) return
    const rest = (this.#byAddress.get(counted) ?? 1) - 1
    if (rest > 0) this.#byAddress.set(counted, rest)
    else this.#byAddress.delete(counted)
  }
}

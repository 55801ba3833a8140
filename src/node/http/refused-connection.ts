/** A connection that was closed because there are too many. Of its own, so that whoever hears of it needs no types of Node. */
export interface RefusedConnection {
  /** The limit that it would have exceeded. */
  readonly limit: 'maxClients' | 'maxClientsPerAddress'
  /** How many connections it allows. */
  readonly allowed: number
  readonly address: string | undefined
}

/** A connection that was closed, and nothing on it was a request that a handler could have refused. Of its own, so that whoever hears of it needs no types of Node. */
export type RefusedConnection = ConnectionOverLimit | UnreadableConnection

/** It was closed unread because there are too many. */
export interface ConnectionOverLimit {
  readonly reason: 'connections'
  /** The limit that it would have exceeded. */
  readonly limit: 'maxClients' | 'maxClientsPerAddress'
  /** How many connections it allows. */
  readonly allowed: number
  readonly address: string | undefined
}

/** What came on it could not be read. */
export interface UnreadableConnection {
  /**
   * `malformed`: it is no HTTP. `framing`: the end of a request could be read in two ways. `headers`: the head of a request was too large.
   * `slow`: a request did not come in time. `verb`: a tunnel was asked for. `tls`: there was no handshake.
   */
  readonly reason: 'malformed' | 'framing' | 'headers' | 'slow' | 'verb' | 'tls'
  /** Of HTTP, where there was an answer. */
  readonly status?: number | undefined
  /** Of whoever connected, which may be a proxy: what that would have said of others was not read. */
  readonly address: string | undefined
}

export interface TokenExchangeOptions {
  /** The authorization server, whose metadata says where tokens are exchanged (RFC 8414). Either this or `tokenEndpoint`. */
  readonly issuer?: string | undefined
  /** Where tokens are exchanged. */
  readonly tokenEndpoint?: string | undefined
  /** As whom we ask. */
  readonly clientId: string
  /** With `client_secret_basic`, unless the metadata asks for `client_secret_post`. */
  readonly clientSecret?: string | undefined
  /** The server's name at the authorization server. */
  readonly audience?: string | undefined
  /** The server's address at the authorization server (RFC 8707). Default: its own, where there is no `audience`. */
  readonly resource?: string | undefined
  /** What the new token is to be good for. Default: what the authorization server grants. */
  readonly scopes?: readonly string[] | undefined
  /** Milliseconds that the authorization server may take. Default 10 seconds. */
  readonly requestTimeout?: number | undefined
  /** Callers whose tokens are remembered; those who called longest ago go first. Default 1,000. */
  readonly maxCallers?: number | undefined
}

/** The files of a certificate have changed: applied, or (with an error) not. Apart, since public types need none of Node's. */
export interface TlsChange {
  /** SHA-256 of the certificate that is used now. */
  readonly fingerprint: string
  readonly error?: Error
}

/** Apart from what uses them, so that the library's types need none of Node's. */

export interface CertificateOptions {
  /** Trusted besides what Node trusts (`NODE_EXTRA_CA_CERTS` included), in PEM. */
  readonly ca?: string | readonly string[] | undefined
  /** Our own certificate for servers that want one, with the chain up to its authority, in PEM. */
  readonly cert?: string | undefined
  /** The private key of `cert`, in PEM. */
  readonly key?: string | undefined
}

/** Which certificates are trusted, and which one is our own. */

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as tls from 'node:tls'
import type { CertificateOptions } from '../tls/certificate-options.js'

/**
 * Undefined where nothing is given: Node's own choice is what is wanted then. Throws `TypeError` for what is no certificate or key,
 * and where these two do not belong together.
 */
export function secureContextOf({ ca, cert, key }: CertificateOptions): tls.SecureContext | undefined {
  if (ca === undefined && cert === undefined && key === undefined) return undefined
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError(
      cert === undefined
        ? 'key: needs the certificate (cert) it belongs to'
        : 'cert: needs its private key (key)',
    )
  }
  const own =
    ca === undefined ? [] : (typeof ca === 'string' ? [ca] : ca).flatMap(pem => certificatesIn(pem, 'ca'))
  if (cert !== undefined) certificatesIn(cert, 'cert')
  try {
    return tls.createSecureContext({
      ...(own.length === 0 ? {} : { ca: [...trusted(), ...own] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    })
  } catch (error) {
    throw new TypeError(complaintAbout(error as NodeJS.ErrnoException), { cause: error })
  }
}

/** OpenSSL takes for nothing what it cannot read. */
function certificatesIn(pem: string, option: string): readonly string[] {
  const blocks =
    pem.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/g) ?? []
  if (blocks.length === 0)
    throw new TypeError(`${option}: no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
  for (const block of blocks) {
    try {
      new X509Certificate(block)
    } catch {
      throw new TypeError(`${option}: a certificate in it cannot be read`)
    }
  }
  return blocks
}

function complaintAbout({ code = '', message }: NodeJS.ErrnoException): string {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'key: does not belong to the certificate (cert)'
  if (/PASSPHRASE|BAD_DECRYPT|INTERRUPTED/.test(code + message)) {
    return 'key: is encrypted; decrypt it first, for example with openssl pkey'
  }
  return `key: cannot be read as a private key in PEM${code === '' ? '' : ` (${code})`}`
}

/** A list of our own replaces what Node trusts, so it has to hold that as well. */
function trusted(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] }
  // From Node 22.15 on.
  if (getCACertificates !== undefined) return getCACertificates('default')
  const file = process.env.NODE_EXTRA_CA_CERTS
  if (file === undefined || file === '') return tls.rootCertificates
  try {
    return [...tls.rootCertificates, readFileSync(file, 'utf8')]
  } catch {
    // Node has warned about it at its start.
    return tls.rootCertificates
  }
}

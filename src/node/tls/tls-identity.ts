/** As whom we serve HTTPS: certificate and key from files that are followed, or made for this run. */

import { constants, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import { watchForChanges } from '../config/watch-file.js'
import type { TlsChange } from './tls-change.js'

export interface TlsFileOptions {
  /** The certificate, and after it those that lead to its authority, in PEM. */
  readonly cert: string
  /** Its private key, in PEM. */
  readonly key: string
  /** Certificates of the authorities of our clients, in PEM: clients are asked for a certificate. Default: they are not. */
  readonly clientCa?: string | undefined
  /** The files have changed: applied, or (with an error) not, so that the ones before go on. */
  readonly onChange?: ((change: TlsChange) => void) | undefined
}

export interface TlsIdentity {
  readonly settings: TlsOptions
  /** SHA-256 of the certificate, as other programs show it: `AB:CD:...`. */
  readonly fingerprint: string
  /** Calls back with each later identity. Returns how to stop. */
  follow(listener: (changed: SecureContextOptions) => void): () => void
}

/** Throws `TypeError` that names the file for what cannot be used. */
export function tlsFiles({ cert, key, clientCa, onChange = () => {} }: TlsFileOptions): TlsIdentity {
  const files = [cert, key, ...(clientCa === undefined ? [] : [clientCa])]
  const read = (): SecureContextOptions => {
    const context = {
      cert: readPem('tls.cert', cert),
      key: readPem('tls.key', key),
      ...(clientCa === undefined ? {} : { ca: readPem('tls.clientCa', clientCa) }),
    }
    checkPair(context, `${cert} and ${key}`)
    return context
  }
  let current = read()
  return {
    settings: settingsOf(current),
    get fingerprint() {
      return fingerprintOf(current)
    },
    follow(listener) {
      const apply = () => {
        try {
          const next = read()
          if (sameFiles(next, current)) return
          current = next
          listener({ ...next, minVersion: 'TLSv1.2', ...noTickets(next) })
          onChange({ fingerprint: fingerprintOf(current) })
        } catch (error) {
          // Half of a pair that is being replaced, most often: the next change completes it.
          onChange({ fingerprint: fingerprintOf(current), error: error as Error })
        }
      }
      const stops = files.map(file => watchForChanges(file, apply))
      return () => {
        for (const stop of stops) stop()
      }
    },
  }
}

/** A certificate for these names, made now and forgotten at the end, for development. `selfsigned` is loaded for it. */
export async function selfSigned(
  names: readonly string[],
  { clientCa }: { readonly clientCa?: string | undefined } = {},
): Promise<TlsIdentity> {
  const { generate } = await import('selfsigned')
  const now = Date.now()
  const made = await generate([{ name: 'commonName', value: names[0] ?? 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // Clocks of other machines may be behind.
    notBeforeDate: new Date(now - 3_600_000),
    // Browsers refuse longer ones.
    notAfterDate: new Date(now + 397 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: [...names].map(alternative) },
    ],
  })
  const context = {
    cert: made.cert,
    key: made.private,
    ...(clientCa === undefined ? {} : { ca: readPem('tls.clientCa', clientCa) }),
  }
  checkPair(context, 'the certificate made')
  return { settings: settingsOf(context), fingerprint: fingerprintOf(context), follow: () => () => {} }
}

function alternative(name: string) {
  const isAddress = name.includes(':') || /^\d+(\.\d+){3}$/.test(name)
  return isAddress ? ({ type: 7, ip: name } as const) : ({ type: 2, value: name } as const)
}

function settingsOf(context: SecureContextOptions): TlsOptions {
  return {
    ...context,
    minVersion: 'TLSv1.2',
    ...noTickets(context),
    // Whoever has none may have a token; the guard on HTTP decides.
    ...(context.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: false }),
  }
}

/** A ticket would keep a client's certificate good after its authority was taken out of the file. */
function noTickets({ ca }: SecureContextOptions): SecureContextOptions {
  return ca === undefined ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }
}

function checkPair(context: SecureContextOptions, what: string): void {
  try {
    createSecureContext(context)
  } catch (error) {
    throw new TypeError(`${what}: they cannot be used together: ${(error as Error).message}`)
  }
}

function readPem(option: string, file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new TypeError(`${option}: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
  if (!text.includes('-----BEGIN ')) throw new TypeError(`${option}: ${file} is not in PEM format`)
  return text
}

function fingerprintOf({ cert }: SecureContextOptions): string {
  return new X509Certificate(cert as string).fingerprint256
}

function sameFiles(one: SecureContextOptions, other: SecureContextOptions): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca
}

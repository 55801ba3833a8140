/** Private keys of clients that sign for themselves (`private_key_jwt`, RFC 7523). */

import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { SigningKey } from '../../client/oauth/client-settings.js'

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

/** A private key as PEM, in any of its forms. Throws `TypeError` that shows nothing of it. */
export async function signingKey(pem: string, id?: string): Promise<SigningKey> {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw new TypeError('The client key is no private key in PEM form, or it has a passphrase')
  }
  const imported = await crypto.subtle.importKey(
    'pkcs8',
    key.export({ type: 'pkcs8', format: 'der' }),
    algorithmOf(key),
    false,
    ['sign'],
  )
  return { key: imported, ...(id === undefined ? {} : { id }) }
}

function algorithmOf(key: KeyObject): Parameters<typeof crypto.subtle.importKey>[2] {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    case 'ec': {
      const namedCurve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']
      if (namedCurve !== undefined) return { name: 'ECDSA', namedCurve }
      break
    }
    case 'ed25519':
      return { name: 'Ed25519' }
  }
  throw new TypeError(
    'The client key must be an RSA key, an Ed25519 key, or an elliptic one on P-256, P-384 or P-521',
  )
}

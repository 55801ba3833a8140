/**
 * `requestState`, sealed: it passes through the client, so it is authenticated-encrypted (AES-256-GCM) and names
 * everything that a retry must match. Specification: 2026-07-28 basic/patterns/mrtr, "Server Requirements".
 */

import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import { canonicalJson } from './capabilities.js'

export interface CallState {
  /** The suspended call; absent where the retry starts the call anew (`reissue`). */
  readonly call?: string
  /** Counts the questions of one call, so that each state serves once. */
  readonly round: number
  readonly method: string
  readonly target: string
  /** Digest of the arguments. */
  readonly digest: string
  readonly principal: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

export interface Sealer {
  seal(state: CallState): Promise<string>
  /** Throws INVALID_PARAMS for anything that this sealer did not make. */
  open(sealed: string): Promise<CallState>
}

const IV_BYTES = 12

/**
 * `secret` is any text of 16 characters or more, shared by replicas; without it, a key of this process alone. Throws
 * `TypeError` for a shorter one.
 */
export function createSealer(secret?: string): Sealer {
  if (secret !== undefined && secret.length < 16)
    throw new TypeError(`The state key must have at least 16 characters; this one has ${secret.length}`)
  let key: Promise<CryptoKey> | undefined
  const getKey = () => {
    key ??= secret === undefined ? randomKey() : derivedKey(secret)
    return key
  }
  return {
    async seal(state) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const plain = new TextEncoder().encode(JSON.stringify(state))
      const sealed = new Uint8Array(
        await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await getKey(), plain),
      )
      const bytes = new Uint8Array(IV_BYTES + sealed.length)
      bytes.set(iv)
      bytes.set(sealed, IV_BYTES)
      return toBase64Url(bytes)
    },
    async open(text) {
      try {
        const bytes = fromBase64Url(text)
        const plain = await crypto.subtle.decrypt(
          { name: 'AES-GCM', iv: bytes.subarray(0, IV_BYTES) },
          await getKey(),
          bytes.subarray(IV_BYTES),
        )
        return JSON.parse(new TextDecoder().decode(plain)) as CallState
      } catch {
        throw new RpcError(
          INVALID_PARAMS,
          'requestState is not one that this server made: start the call anew',
        )
      }
    },
  }
}

/** SHA-256 over the arguments, whatever the order of their keys. */
export async function digestOf(value: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(value))
  return toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function randomKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

async function derivedKey(secret: string): Promise<CryptoKey> {
  const encoder = new TextEncoder()
  const material = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, ['deriveKey'])
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode('anyport requestState 1') },
    material,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}

/**
 * Keys that a person hands out. Each is 256 random bits, so that a single SHA-256 of it can be stored: what makes slow hashes
 * necessary, the guessing of words, is not possible.
 */

import type { HttpIdentity } from '../../exchange/http.js'
import type { JSONObject } from '../../protocol/message.js'
import { type AuthenticationMethod, CredentialRefusal, type Verdict } from './authentication.js'

/** What is stored of a key. The key itself is not. */
export interface ApiKeyRecord {
  /** Finds the record; it is part of the key, and no secret. */
  readonly id: string
  /** Whose key it is: the principal. Several keys may have one name, so that they can be replaced one by one. */
  readonly name: string
  /** SHA-256 of the whole key, in hexadecimal. */
  readonly hash: string
  readonly scopes?: readonly string[] | undefined
  /** ISO 8601. */
  readonly created: string
  /** ISO 8601. Default: never. */
  readonly expires?: string | undefined
}

export interface ApiKeysOptions {
  /** A function where they change. */
  readonly keys: readonly ApiKeyRecord[] | (() => readonly ApiKeyRecord[])
  /** SHA-256 of UTF-8 text in hexadecimal, where the platform has one that does not make requests wait. */
  readonly sha256?: ((text: string) => string) | undefined
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined
}

export interface NewApiKey {
  /** Shown once, to its owner. */
  readonly key: string
  readonly record: ApiKeyRecord
}

interface ProvenKey {
  readonly token: string
  readonly identity: HttpIdentity
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** Takes keys as `Authorization: Bearer` and `X-API-Key`; the name of a key is the principal. Throws `TypeError` for wrong records. */
export function apiKeys({ keys, sha256, now = Date.now }: ApiKeysOptions): AuthenticationMethod {
  let listed: readonly ApiKeyRecord[] | undefined
  let byId = new Map<string, ApiKeyRecord>()
  // Of keys that were shown and are right; one for each record at most. Comparing with it costs a tenth of hashing again.
  let proven = new Map<string, ProvenKey>()
  const find = (id: string) => {
    const current = typeof keys === 'function' ? keys() : keys
    if (current !== listed) {
      for (const record of current) checkRecord(record)
      byId = new Map(current.map(record => [record.id, record]))
      proven = new Map()
      listed = current
    }
    return byId.get(id)
  }
  find('')

  const conclude = (token: string, record: ApiKeyRecord | undefined, hash: string): Verdict => {
    // Also where there is no such key, so that it takes the same time.
    const isRight = sameText(hash, record?.hash ?? NO_HASH)
    if (record === undefined || !isRight) return new CredentialRefusal('The API key is not known')
    const identity = { principal: record.name, claims: claimsOf(record) }
    const expires = record.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(record.expires)
    // The list may have changed while it was hashed.
    if (byId.get(record.id) === record) proven.set(record.id, { token, identity, expires })
    return unlessExpired(identity, expires)
  }
  const unlessExpired = (identity: HttpIdentity, expires: number): Verdict =>
    expires <= now() ? new CredentialRefusal('The API key has expired') : identity
  return {
    checkCredential({ token }) {
      const shown = token.slice(ID_START, ID_END)
      const listedAs = find(shown)
      const known = proven.get(shown)
      if (known !== undefined && sameText(token, known.token))
        return unlessExpired(known.identity, known.expires)
      const id = KEY.exec(token)?.[1]
      if (id === undefined) return undefined
      if (sha256 !== undefined) return conclude(token, listedAs, sha256(token))
      return webSha256(token).then(hash => conclude(token, find(id), hash))
    },
  }
}

/** Makes a key: `anyport_ID_SECRET`. Throws `TypeError` for a name or scopes that cannot be. */
export async function newApiKey(
  name: string,
  options: { readonly scopes?: readonly string[]; readonly expires?: Date; readonly now?: Date } = {},
): Promise<NewApiKey> {
  const id = hexOf(crypto.getRandomValues(new Uint8Array(6)))
  const key = `anyport_${id}_${hexOf(crypto.getRandomValues(new Uint8Array(32)))}`
  const record: ApiKeyRecord = {
    id,
    name,
    hash: await webSha256(key),
    ...(options.scopes === undefined || options.scopes.length === 0 ? {} : { scopes: options.scopes }),
    created: (options.now ?? new Date()).toISOString(),
    ...(options.expires === undefined ? {} : { expires: options.expires.toISOString() }),
  }
  checkRecord(record)
  return { key, record }
}

const KEY = /^anyport_([0-9a-f]{12})_[0-9a-f]{64}$/
/** Where a key has its id. */
const ID_START = 8
const ID_END = 20
/** No principal of another method looks so: subjects of tokens have their issuer before them, those of certificates a `=`. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const NO_HASH = '0'.repeat(64)

function checkRecord(record: ApiKeyRecord): void {
  const { id, name, hash, scopes = [], created, expires } = record
  const fail = (what: string) => {
    throw new TypeError(`API keys: ${what}`)
  }
  if (typeof name !== 'string' || !NAME.test(name))
    fail(`${JSON.stringify(name)} is no name of a key: letters, digits and . _ @ -, 128 at most`)
  if (typeof id !== 'string' || !/^[0-9a-f]{12}$/.test(id)) fail(`the key of ${name} has no id`)
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) fail(`the key ${id} has no SHA-256 hash`)
  if (!Array.isArray(scopes) || !scopes.every(scope => typeof scope === 'string' && SCOPE.test(scope)))
    fail(`the key ${id} has scopes that are none`)
  for (const time of expires === undefined ? [created] : [created, expires])
    if (typeof time !== 'string' || Number.isNaN(Date.parse(time)))
      fail(`the key ${id} has a time that is none`)
}

function claimsOf({ id, name, scopes }: ApiKeyRecord): JSONObject {
  return { sub: name, key: id, ...(scopes === undefined ? {} : { scope: scopes.join(' ') }) }
}

/** Looks at all of it, however early it differs. */
function sameText(one: string, other: string): boolean {
  // How long they are is no secret.
  if (one.length !== other.length) return false
  let difference = 0
  for (let index = 0; index < one.length; index++)
    difference |= one.charCodeAt(index) ^ other.charCodeAt(index)
  return difference === 0
}

async function webSha256(text: string): Promise<string> {
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

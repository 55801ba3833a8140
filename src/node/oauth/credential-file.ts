/**
 * Sign-ins on disk: one file per server, for its owner only, replaced as a whole, and shared by all anyport processes of the user.
 */

import { createHash, randomUUID } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type CredentialStore,
  type Credentials,
  memoryCredentials,
  NO_CREDENTIALS,
  type SignInRecord,
} from '../../client/oauth/credentials.js'
import { TransportError } from '../../exchange/errors.js'
import { isObject } from '../../protocol/meta.js'
import { fileLock, tryFileLock } from '../storage/file-lock.js'
import { stateFolder } from '../storage/state-folder.js'

export interface CredentialFile extends CredentialStore {
  /** Where it is, whether it exists or not. */
  readonly path: string
  /** Forgets everything about the server. */
  remove(): Promise<void>
}

/** Milliseconds to wait for others: each of them may wait for an authorization server, but only the first one finds work to do. */
const LOCK_LIMIT = 60_000
const VERSION = 1
/** What a folder says that is not there for us to write in. */
const NOT_OURS = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT'])
const MAX_ATTEMPTS = 20

export interface CredentialFileOptions {
  /** Default: `anyport/sign-ins` where the system keeps the state of programs. */
  readonly folder?: string | undefined
  /** Nothing can be stored there: from now on this process keeps its sign-in to itself. Called once. */
  readonly onUnusable?: ((error: Error) => void) | undefined
}

/** Nothing is read or written before somebody asks. */
export function credentialFile(
  server: URL,
  { folder = credentialFolder(), onUnusable }: CredentialFileOptions = {},
): CredentialFile {
  const path = join(folder, `${fileName(server)}.json`)
  const lock = join(folder, `${fileName(server)}.lock`)
  const signInLock = join(folder, `${fileName(server)}.sign-in`)
  let memory: CredentialStore | undefined

  /** A folder that cannot be written, a full disk: what was got must not be lost. */
  const keepInMemory = (error: unknown, credentials: Credentials) => {
    if (memory === undefined) onUnusable?.(unusable(folder, error))
    memory = memoryCredentials(credentials)
    return memory
  }
  const locked = async <T>(take: () => Promise<T>): Promise<T | CredentialStore> => {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      return await take()
    } catch (error) {
      if (error instanceof TransportError) throw error
      // Only where nobody else can write either: otherwise two would renew the same sign-in.
      if (!NOT_OURS.has(codeOf(error))) throw unusable(folder, error)
      return keepInMemory(error, await read(path))
    }
  }

  return {
    path,
    read: () => memory?.read() ?? read(path),
    async exclusively(task) {
      const held = memory ?? (await locked(() => fileLock(lock, LOCK_LIMIT, () => busy(lock))))
      if ('exclusively' in held) return await held.exclusively(task)
      try {
        return await task({
          credentials: await read(path),
          async write(next) {
            await write(path, server, next).catch(error => keepInMemory(error, next))
          },
        })
      } finally {
        await held.release()
      }
    },
    async claimSignIn() {
      const claim = memory ?? (await locked(() => tryFileLock(signInLock)))
      if (claim === undefined) return undefined
      return 'claimSignIn' in claim ? await claim.claimSignIn() : () => claim.release()
    },
    remove: () => rm(path, { force: true }),
  }
}

/** Where sign-ins are kept: XDG base directories, and what other systems have in their place. */
export function credentialFolder(): string {
  return join(stateFolder(), 'anyport', 'sign-ins')
}

export interface StoredCredentials {
  /** Without its query. */
  readonly server: string
  readonly path: string
  readonly credentials: Credentials
}

/** Everything in `folder`. */
export async function storedCredentials(folder = credentialFolder()): Promise<readonly StoredCredentials[]> {
  const names = await readdir(folder).catch(() => [])
  const files = names.filter(name => name.endsWith('.json')).sort()
  const stored = await Promise.all(
    files.map(async name => {
      const path = join(folder, name)
      const file = await parse(path)
      const server = typeof file?.server === 'string' ? file.server : undefined
      return server === undefined ? [] : [{ server, path, credentials: credentialsOf(file) }]
    }),
  )
  return stored.flat()
}

/** The address itself may hold a secret. */
function fileName(server: URL): string {
  const address = new URL(server)
  address.hash = ''
  const host = server.hostname.replace(/[^A-Za-z0-9.-]/g, '_').slice(0, 80)
  return `${host}-${createHash('sha256').update(address.href).digest('hex').slice(0, 16)}`
}

async function read(path: string): Promise<Credentials> {
  return credentialsOf(await parse(path))
}

function credentialsOf(file: Readonly<Record<string, unknown>> | undefined): Credentials {
  if (file?.version !== VERSION || !isObject(file.issuers)) return NO_CREDENTIALS
  const { current, failure } = file as Partial<Credentials>
  const issuers = Object.fromEntries(Object.entries(file.issuers).filter(([, record]) => isRecord(record)))
  return {
    issuers: issuers as Readonly<Record<string, SignInRecord>>,
    ...(typeof current === 'string' ? { current } : {}),
    ...(isObject(failure) && typeof failure.at === 'number' ? { failure } : {}),
  }
}

/** Missing or broken is the same: then a person signs in again. A file that cannot be read is an error, which has a remedy. */
async function parse(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined
    throw new TransportError('ERR_SIGN_IN', `The sign-ins in ${path} cannot be read (${codeOf(error)})`, {
      knob: '--credentials',
      cause: error,
    })
  }
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is SignInRecord {
  if (!isObject(value)) return false
  const { metadata, resource, client, requestedScopes, tokens } = value
  return (
    isObject(metadata) &&
    typeof metadata.issuer === 'string' &&
    typeof metadata.token_endpoint === 'string' &&
    typeof resource === 'string' &&
    isObject(client) &&
    typeof client.id === 'string' &&
    Array.isArray(requestedScopes) &&
    (tokens === undefined ||
      (isObject(tokens) && typeof tokens.accessToken === 'string' && Array.isArray(tokens.scopes)))
  )
}

/** Whole or not at all, and on the disk before the old one is gone: a refresh token is worth something only once. */
async function write(path: string, server: URL, credentials: Credentials): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID()}`
  const { origin, pathname } = server
  const text = JSON.stringify({ version: VERSION, server: origin + pathname, ...credentials }, undefined, 2)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      // The mode of `open` is subject to the umask, which only takes away.
      await handle.writeFile(`${text}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(temporary, 0o600)
    await replace(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}

/** On Windows a file that somebody reads cannot be replaced in that moment. */
async function replace(temporary: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(temporary, path)
      return
    } catch (error) {
      if (process.platform !== 'win32' || attempt === MAX_ATTEMPTS) throw error
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

function unusable(folder: string, error: unknown): TransportError {
  return new TransportError('ERR_SIGN_IN', `Sign-ins cannot be stored in ${folder} (${codeOf(error)})`, {
    knob: '--credentials',
    cause: error,
  })
}

function busy(lock: string): TransportError {
  return new TransportError(
    'ERR_BUSY',
    `Another process holds ${lock} for more than ${LOCK_LIMIT / 1_000} s`,
    {
      knob: '--credentials',
      retryable: true,
    },
  )
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code ?? message
}

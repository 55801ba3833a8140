/**
 * Sign-ins on disk: one file per server, for its owner only, replaced as a whole, and shared by all anyport processes of the user.
 */

import { createHash, randomUUID } from 'node:crypto'
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import {
  type CredentialStore,
  type Credentials,
  NO_CREDENTIALS,
  type SignInRecord,
} from '../../client/oauth/credentials.js'
import { TransportError } from '../../exchange/errors.js'
import { isObject } from '../../protocol/meta.js'
import { fileLock, tryFileLock } from './file-lock.js'

export interface CredentialFile extends CredentialStore {
  /** Where it is, whether it exists or not. */
  readonly path: string
  /** Forgets everything about the server. */
  remove(): Promise<void>
}

/** Milliseconds to wait for others: each of them may wait for an authorization server, but only the first one finds work to do. */
const LOCK_LIMIT = 60_000
const VERSION = 1

/** The file for a server in `folder`, by default `anyport/sign-ins` where the system keeps the state of programs. */
export function credentialFile(server: URL, folder = credentialFolder()): CredentialFile {
  const path = join(folder, `${fileName(server)}.json`)
  const lock = join(folder, `${fileName(server)}.lock`)
  const ready = () => mkdir(folder, { recursive: true, mode: 0o700 })
  return {
    path,
    read: () => read(path),
    async exclusively(task) {
      await ready()
      const held = await fileLock(lock, LOCK_LIMIT, () => busy(lock))
      try {
        return await task({
          credentials: await read(path),
          write: next => write(path, server, next),
        })
      } finally {
        await held.release()
      }
    },
    async claimSignIn() {
      await ready()
      const held = await tryFileLock(join(folder, `${fileName(server)}.sign-in`))
      return held === undefined ? undefined : () => held.release()
    },
    remove: () => rm(path, { force: true }),
  }
}

/** Where sign-ins are kept: XDG base directories, and what other systems have in their place. */
function credentialFolder(): string {
  const { XDG_STATE_HOME, LOCALAPPDATA } = process.env
  return join(stateFolder(XDG_STATE_HOME, LOCALAPPDATA), 'anyport', 'sign-ins')
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

function stateFolder(xdg: string | undefined, local: string | undefined): string {
  if (xdg !== undefined && isAbsolute(xdg)) return xdg
  if (process.platform === 'win32' && local) return local
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Application Support')
    : join(homedir(), '.local', 'state')
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
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
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
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw new TransportError('ERR_SIGN_IN', `The sign-in cannot be stored in ${path} (${codeOf(error)})`, {
      knob: '--credentials',
      cause: error,
    })
  }
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

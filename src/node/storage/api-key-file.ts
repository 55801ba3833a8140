/** API keys on disk: their hashes in one file, for its owner only, which is followed while it is used. */

import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type ApiKeyRecord, apiKeys } from '../../middleware/http/api-keys.js'
import type { AuthenticationMethod } from '../../middleware/http/authentication.js'
import { watchForChanges } from '../config/watch-file.js'
import { withFileLock } from './file-lock.js'
import { stateFolder } from './state-folder.js'

export interface ApiKeyFileOptions {
  /** Default: `anyport/keys.json` where the system keeps the state of programs. */
  readonly file?: string | undefined
  /** The file has changed: how many keys it has now, or why they are those of before. */
  readonly onChange?: ((change: { readonly keys: number; readonly error?: Error }) => void) | undefined
}

export interface ApiKeyFile extends AuthenticationMethod {
  /** Stops following the file. */
  close(): void
}

/** Where keys are kept unless a file is named. */
export function apiKeyFilePath(): string {
  return join(stateFolder(), 'anyport', 'keys.json')
}

/** Takes the keys of a file. Throws `TypeError` for a file that is missing, that others may change, or that is not right. */
export function apiKeyFile({
  file = apiKeyFilePath(),
  onChange = () => {},
}: ApiKeyFileOptions = {}): ApiKeyFile {
  const path = resolve(file)
  let records = readRecords(path)
  if (records === undefined)
    throw new TypeError(`${path}: there is no such file; make the first key with: anyport keys create NAME`)
  const method = apiKeys({ keys: () => records as readonly ApiKeyRecord[], sha256 })
  const stop = watchForChanges(path, () => {
    try {
      // Without its file nobody has a key.
      const next = readRecords(path) ?? []
      apiKeys({ keys: next, sha256 })
      records = next
      onChange({ keys: records.length })
    } catch (error) {
      onChange({ keys: records?.length ?? 0, error: error as Error })
    }
  })
  return { ...method, close: stop }
}

/** Undefined where there is no such file. Throws `TypeError` for one that cannot be used. */
export function readRecords(file: string): readonly ApiKeyRecord[] | undefined {
  let text: string
  try {
    const { mode } = statSync(file)
    if (process.platform !== 'win32' && (mode & 0o022) !== 0)
      throw new TypeError(
        `${file}: others can write it, and so make keys of their own; run: chmod 600 ${file}`,
      )
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw code === undefined ? error : new TypeError(`${file} cannot be read: ${code}`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new TypeError(`${file} is not JSON`)
  }
  const { version, keys } = (value ?? {}) as { readonly version?: unknown; readonly keys?: unknown }
  if (
    version !== VERSION ||
    !Array.isArray(keys) ||
    !keys.every(key => typeof key === 'object' && key !== null)
  )
    throw new TypeError(`${file} is no file of API keys of this version`)
  // Says which record is wrong.
  apiKeys({ keys, sha256 })
  return keys
}

/** One writer at a time; readers see all of a change or nothing. Throws `TypeError` for a file that cannot be used or written. */
export async function changeRecords(
  file: string,
  change: (records: readonly ApiKeyRecord[]) => readonly ApiKeyRecord[],
): Promise<void> {
  const path = resolve(file)
  const temporary = `${path}.${randomUUID()}`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    await withFileLock(path, async () => {
      const keys = change(readRecords(path) ?? [])
      writeFileSync(temporary, `${JSON.stringify({ version: VERSION, keys }, undefined, 2)}\n`, {
        mode: 0o600,
        flag: 'wx',
      })
      renameSync(temporary, path)
    })
  } catch (error) {
    rmSync(temporary, { force: true })
    const { code } = error as NodeJS.ErrnoException
    throw error instanceof TypeError || code === undefined
      ? error
      : new TypeError(`${path} cannot be written: ${code}`)
  }
}

const VERSION = 1

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

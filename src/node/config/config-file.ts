/** Configurations on disk: read, and changed so that no reader ever sees half of one and no writer's change is lost. */

import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../config/client.js'
import { jsoncSyntax } from '../../config/jsonc-syntax.js'
import { type ReadConfig, type ReadOptions, readConfig } from '../../config/read-config.js'
import type { Syntax } from '../../config/source.js'
import { withFileLock } from '../storage/file-lock.js'

/** Bytes that a configuration may have; agents keep much else in the same file. */
const MAX_SIZE = 64 * 1024 * 1024
/** How often an edit is made anew because somebody else wrote meanwhile. */
const MAX_ATTEMPTS = 20

export type SyntaxName = Client['syntax']

export interface ConfigFile {
  readonly file: string
  /** Undefined where there is no such file. */
  readonly text: string | undefined
  readonly syntax: Syntax
}

/** By the ending of its name. Other parsers than that of JSON are loaded where they are needed only. */
export async function syntaxOf(file: string, standard: SyntaxName = 'json'): Promise<Syntax> {
  const name = /\.toml$/i.test(file)
    ? 'toml'
    : /\.ya?ml$/i.test(file)
      ? 'yaml'
      : /\.jsonc?$/i.test(file)
        ? 'json'
        : standard
  if (name === 'toml') return (await import('../../config/toml-syntax.js')).tomlSyntax
  return name === 'yaml' ? (await import('../../config/yaml-syntax.js')).yamlSyntax : jsoncSyntax
}

/** Throws `TypeError` that names a file which cannot be read. */
export async function openConfig(file: string, client?: Client): Promise<ConfigFile> {
  return { file, text: readText(file), syntax: await syntaxOf(file, client?.syntax) }
}

/** Reads the servers of a file; one that does not exist is as if it was empty. Throws `TypeError` for one that cannot be read. */
export async function readConfigFile(
  file: string,
  client?: Client,
  of: Pick<ReadOptions, 'checks' | 'folder' | 'folderOnly'> = {},
): Promise<ReadConfig> {
  const { text = '', syntax } = await openConfig(file, client)
  return readConfig({ file, text, syntax }, { ...of, client })
}

export interface UpdateOptions {
  /** Mode of a file that is made. Default 0o600: configurations hold secrets. */
  readonly mode?: number
}

/**
 * Gives the text of a file to `edit` and replaces the file by what comes back, at once. Its mode stays, a link stays a link. Other
 * writers wait, those who know nothing of our lock too: where one was quicker, `edit` gets the new text. False where nothing changed.
 */
export async function updateConfigFile(
  file: string,
  edit: (text: string) => string,
  { mode = 0o600 }: UpdateOptions = {},
): Promise<boolean> {
  const target = followLinks(file)
  mkdirSync(dirname(target), { recursive: true })
  return await withFileLock(target, async () => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = readText(target)
      const after = edit(before ?? '')
      if (after === (before ?? '')) return false
      if (await replaceFile(target, before, after, mode)) return true
    }
    throw new TypeError(`${file}: another program changes it all the time; nothing was written`)
  })
}

/** False where the file no longer holds `before`. */
async function replaceFile(
  target: string,
  before: string | undefined,
  after: string,
  mode: number,
): Promise<boolean> {
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${randomUUID()}`)
  try {
    const known = before === undefined ? undefined : statSync(target)
    const file = openSync(temporary, 'wx', known === undefined ? mode : known.mode & 0o7777)
    try {
      writeWhole(file, after)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    if (known !== undefined) keepOwner(temporary, known)
    if (readText(target) !== before) return false
    await rename(temporary, target)
    return true
  } finally {
    rmSync(temporary, { force: true })
  }
}

function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8')
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset)
}

function keepOwner(
  file: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): void {
  if (process.platform === 'win32') return
  const own = process.getuid?.() === uid && process.getgid?.() === gid
  if (!own) {
    try {
      chownSync(file, uid, gid)
    } catch {
      // Only the superuser may give files away; the mode below still keeps others out.
    }
  }
  // What was given at `open` was cut by the umask.
  chmodSync(file, mode & 0o7777)
}

/** On Windows a file that somebody reads at this moment cannot be replaced: a moment later it can. */
async function rename(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      renameSync(from, to)
      return
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (
        process.platform !== 'win32' ||
        attempt === 50 ||
        !['EPERM', 'EACCES', 'EBUSY'].includes(code ?? '')
      )
        throw error
      await sleep(20)
    }
  }
}

/** Where a file really is, also where a link leads to none yet. */
function followLinks(file: string): string {
  let path = resolve(file)
  for (let links = 0; links < 40; links++) {
    try {
      return realpathSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw readError(file, error)
    }
    try {
      path = resolve(dirname(path), readlinkSync(path))
    } catch {
      return path
    }
  }
  throw new TypeError(`${file}: its links lead in a circle`)
}

function readText(file: string): string | undefined {
  let bytes: Buffer
  try {
    if (statSync(file).size > MAX_SIZE) throw new TypeError(`${file}: it is larger than ${MAX_SIZE} bytes`)
    bytes = readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw readError(file, error)
  }
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (utf16) throw new TypeError(`${file}: it is encoded as UTF-16; save it as UTF-8`)
  if (!isUtf8(bytes)) throw new TypeError(`${file}: it is not encoded as UTF-8`)
  return bytes.toString('utf8')
}

function readError(file: string, error: unknown): TypeError {
  if (error instanceof TypeError) return error
  const code = (error as NodeJS.ErrnoException).code
  const why =
    code === 'EACCES' || code === 'EPERM'
      ? 'no permission'
      : code === 'EISDIR'
        ? 'it is a folder'
        : code === 'ENOTDIR'
          ? 'a part of its path is no folder'
          : (code ?? String(error))
  return new TypeError(`Cannot read ${file}: ${why}`)
}

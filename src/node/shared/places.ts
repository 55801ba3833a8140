/** The sockets in the shared folder, a file each: `3-4711.sock` is the third, of process 4711. */

import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteStream } from '../../transport/channel/channel.js'
import { listenSocket } from '../socket.js'

export interface Place {
  readonly number: number
  readonly pid: number
  /** It takes no new clients: another one follows it. */
  readonly retired: boolean
  readonly file: string
}

export interface OwnPlace extends Place {
  /** The file is still there, so that others find us. */
  isKnown(): boolean
  /** From now on it is listed as retired. It listens on. */
  retire(): void
  close(): Promise<void>
}

export interface Places {
  /** The last one first. */
  list(): readonly Place[]
  /** What to connect to; undefined for a file that has gone. */
  addressOf(place: Place): string | undefined
  /** Listens, and lets others know. */
  open(number: number, onConnection: (stream: ByteStream) => void): Promise<OwnPlace>
  /** Forgets one that nobody answers at. */
  remove(place: Place): void
}

export interface PlacesOptions {
  readonly platform?: string
  readonly pid?: number
  /**
   * The name of a pipe. Pipes are no files, so that on Windows the file holds the name of one that nobody can guess: whoever takes
   * a name first answers to it.
   */
  readonly pipe?: (id: string) => string
}

const NAME = /^(\d{1,15})-(\d+)\.(sock|retired)$/

export function places(folder: string, options: PlacesOptions = {}): Places {
  const { platform = process.platform, pid = process.pid, pipe = windowsPipe } = options
  const windows = platform === 'win32'
  const addressOf = ({ file }: Pick<Place, 'file'>) => {
    if (!windows) return file
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return undefined
    }
  }
  return {
    list() {
      const found: Place[] = []
      for (const name of readdirSync(folder)) {
        const [, number, owner, kind] = NAME.exec(name) ?? []
        if (number === undefined) continue
        const file = join(folder, name)
        found.push({ number: Number(number), pid: Number(owner), retired: kind === 'retired', file })
      }
      return found.sort((a, b) => b.number - a.number || b.pid - a.pid)
    },
    addressOf,
    async open(number, onConnection) {
      const open = join(folder, `${number}-${pid}.sock`)
      const path = windows ? pipe(crypto.randomUUID()) : open
      // What a dead process of the same id left behind.
      if (!windows) forget(open)
      const listener = await listenSocket({ path }, onConnection, { replaceStale: false })
      if (windows) writeWhole(open, path)
      const identity = identityOf(open)
      let file = open
      return {
        number,
        pid,
        retired: false,
        get file() {
          return file
        },
        isKnown: () => identity !== undefined && identityOf(file) === identity,
        retire() {
          const retired = open.replace(/\.sock$/, '.retired')
          try {
            renameSync(file, retired)
            file = retired
          } catch {
            // It is not there any more, so that nobody finds us under it either.
          }
        },
        async close() {
          await listener.close()
          forget(file)
        },
      }
    },
    remove: ({ file }) => forget(file),
  }
}

function windowsPipe(id: string): string {
  return `\\\\.\\pipe\\anyport-${id}`
}

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

/** A reader never sees half of it. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${crypto.randomUUID()}`
  writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' })
  renameSync(temporary, file)
}

function forget(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // Somebody else's to remove, or gone with its folder.
  }
}

import { closeSync, fstatSync, openSync, renameSync, write } from 'node:fs'
import { Writable } from 'node:stream'

export interface LogFileOptions {
  /** Bytes after which it is begun anew; what was written before is kept once, beside it, with `.1` at its name. */
  readonly maxSize: number
}

/**
 * A log that only its owner can read, and that never has more than twice `maxSize`. What cannot be written (a full disk, a missing folder)
 * is lost; that is no reason to stop.
 */
export function logFileStream(file: string, { maxSize }: LogFileOptions): Writable {
  let open: number | undefined
  let size = 0
  const close = () => {
    if (open !== undefined) closeSync(open)
    open = undefined
  }
  const ready = (length: number): number => {
    if (open !== undefined && size + length > maxSize) {
      close()
      renameSync(file, `${file}.1`)
    }
    if (open === undefined) {
      open = openSync(file, 'a', 0o600)
      size = fstatSync(open).size
    }
    size += length
    return open
  }
  return new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      try {
        write(ready(chunk.length), chunk, error => {
          if (error !== null) close()
          done()
        })
      } catch {
        close()
        done()
      }
    },
    destroy(error, done) {
      close()
      done(error)
    },
  })
}

import { TransportError } from '../../exchange/errors.js'
import type { ByteListener, ByteStream } from '../../transport/channel/channel.js'

export interface FirstLineOptions {
  /** Bytes that it may have. */
  readonly limit: number
  /** Milliseconds that it may take. */
  readonly timeout: number
}

export interface FirstLine {
  readonly line: string
  /** The same stream after it; nothing is read before somebody listens. */
  readonly rest: ByteStream
}

const LINE_FEED = 10

/**
 * Reads one line from a stream and leaves what follows as it is. Rejects with `TransportError` ERR_CLOSED, ERR_TIMEOUT or ERR_TOO_LARGE;
 * the stream is then of no further use.
 */
export function firstLine(stream: ByteStream, { limit, timeout }: FirstLineOptions): Promise<FirstLine> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    let found = false
    let listener: ByteListener | undefined
    let closed: { readonly error: Error | undefined } | undefined
    const fail = (error: Error) => {
      clearTimeout(timer)
      found = true
      listener = { data() {}, closed() {} }
      reject(error)
    }
    const timer = setTimeout(() => fail(unsaid('ERR_TIMEOUT', stream, `within ${timeout} ms`)), timeout)

    const take = (chunk: Uint8Array) => {
      const end = chunk.indexOf(LINE_FEED)
      if (end < 0) {
        chunks.push(chunk)
        size += chunk.length
        if (size > limit) fail(unsaid('ERR_TOO_LARGE', stream, `in its first ${limit} bytes`))
        return
      }
      found = true
      clearTimeout(timer)
      stream.pause()
      chunks.push(chunk.subarray(0, end))
      const line = Buffer.concat(chunks).toString('utf8')
      chunks.length = 0
      const left = chunk.subarray(end + 1)
      if (left.length > 0) chunks.push(left)
      const rest: ByteStream = {
        name: stream.name,
        listen(given) {
          listener = given
          for (const early of chunks.splice(0)) given.data(early)
          if (closed !== undefined) given.closed(closed.error)
          else stream.resume()
        },
        write: given => stream.write(given),
        drained: () => stream.drained(),
        pause: () => stream.pause(),
        resume: () => stream.resume(),
        close: () => stream.close(),
      }
      resolve({ line, rest })
    }

    stream.listen({
      data(chunk) {
        if (listener !== undefined) listener.data(chunk)
        else if (found) chunks.push(chunk)
        else take(chunk)
      },
      ending: () => listener?.ending?.(),
      closed(error) {
        closed = { error }
        if (listener !== undefined) listener.closed(error)
        else if (!found) fail(error ?? unsaid('ERR_CLOSED', stream, 'before it closed'))
      },
    })
  })
}

function unsaid(code: 'ERR_CLOSED' | 'ERR_TIMEOUT' | 'ERR_TOO_LARGE', { name }: ByteStream, when: string) {
  return new TransportError(code, `${name} said nothing ${when}`, { hop: name })
}

/** Our own stdin and stdout as bytes: the stdio face. Nothing else may write to stdout. */

import type { ByteStream } from '../transport/channel/channel.js'
import { endWritable, whenDrained, writeChunks } from './byte-stream.js'

/** How long a client that stopped reading may hold up our end, in milliseconds. */
const END_TIMEOUT = 1_000

export function standardStreams(
  input: NodeJS.ReadStream = process.stdin,
  output: NodeJS.WriteStream = process.stdout,
): ByteStream {
  let closing = false
  return {
    name: 'stdio',
    listen(listener) {
      let closed = false
      // The client leaves by closing either pipe; both are an ordinary end.
      const end = () => {
        if (closed) return
        closed = true
        input.pause()
        listener.closed()
      }
      output.on('error', end)
      output.on('close', end)
      input.on('data', (chunk: Uint8Array) => {
        if (!closed) listener.data(chunk)
      })
      input.on('end', end)
      input.on('close', end)
      input.on('error', end)
      if (closing || output.destroyed || input.readableEnded) end()
    },
    write: chunks => writeChunks(output, chunks),
    drained: () => whenDrained(output),
    pause: () => void input.pause(),
    resume: () => void input.resume(),
    async close() {
      if (closing) return
      closing = true
      await endWritable(output, END_TIMEOUT)
      input.destroy()
    },
  }
}

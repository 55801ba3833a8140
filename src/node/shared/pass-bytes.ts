import type { ByteStream } from '../../transport/channel/channel.js'

/** Passes on what comes as it is, no faster than it is taken. `onEnd` hears, once, that the source has ended. */
export function passBytes(from: ByteStream, to: ByteStream, onEnd: (error?: Error) => void): void {
  from.listen({
    data(chunk) {
      if (to.write([chunk])) return
      from.pause()
      void to.drained().then(() => from.resume())
    },
    closed: onEnd,
  })
}

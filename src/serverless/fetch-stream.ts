/** A streamed reply as a web-standard stream: the source is pulled as the client reads. */

import { bodyCut } from '../exchange/http-body-errors.js'
import type { FetchRequest } from './fetch-request.js'

/** Bytes read ahead of the client. */
const HIGH_WATER = 16 * 1024
/** Timers hold no more. */
const LONGEST_DELAY = 2 ** 31 - 1

export interface FetchStreamOptions {
  /** Written when nothing was written for `interval` milliseconds. */
  readonly keepAlive: string | undefined
  readonly interval: number
  readonly onError: (error: unknown) => void
}

export function fetchStream(
  body: AsyncIterable<string | Uint8Array>,
  request: FetchRequest,
  { keepAlive, interval, onError }: FetchStreamOptions,
): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let timer: ReturnType<typeof setInterval> | undefined
  let open = true
  let pulling = false
  /** Something was written since the last tick. */
  let active = true

  /** Releases what the stream holds. The source may wait behind a pending read, and nobody waits for it. */
  const end = () => {
    open = false
    clearInterval(timer)
    Promise.resolve(iterator.return?.()).catch(() => {})
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        request.onHangup(() => {
          if (!open) return
          end()
          controller.error(bodyCut())
        })
        if (!open || keepAlive === undefined || interval === Infinity) return
        const comment = encoder.encode(keepAlive)
        // One timer per stream: some platforms run no timer of one request for another.
        timer = setInterval(
          () => {
            if (active) active = false
            // Only where the source has nothing: otherwise it may be within an event.
            else if (pulling && (controller.desiredSize ?? 0) > 0) {
              active = true
              controller.enqueue(comment)
            }
          },
          // A stream that fell silent right after a tick is noticed two ticks later, which is within the interval.
          Math.min(interval / 2, LONGEST_DELAY),
        )
      },
      async pull(controller) {
        pulling = true
        try {
          const step = await iterator.next()
          if (!open) return
          if (step.done) {
            end()
            request.complete()
            controller.close()
            return
          }
          active = true
          controller.enqueue(typeof step.value === 'string' ? encoder.encode(step.value) : step.value)
        } catch (error) {
          if (!open) return
          end()
          request.complete()
          onError(error)
          // The client must not take what it has for the whole.
          controller.error(error)
        } finally {
          pulling = false
        }
      },
      cancel() {
        if (!open) return
        end()
        request.hangUp()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER }),
  )
}

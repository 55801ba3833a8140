import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type EventRun,
  type EventSource,
  KeptEvents,
} from '../../../src/transport/streamable-http/kept-events.js'

const eventText = (stream: Stream, sequence: number) =>
  `id: ${stream.eventPrefix}${sequence}\ndata: {"n":${sequence},"text":"id: ${stream.eventPrefix}${sequence + 1}"}\n\n`

class Stream implements EventSource {
  kept = 0
  sequence = 0
  constructor(readonly eventPrefix: string) {}

  /** The next events, as one run. */
  run(events: number): EventRun<Stream> {
    const start = this.sequence + 1
    let event = ''
    for (let count = 0; count < events; count++) event += eventText(this, ++this.sequence)
    return { stream: this, start, first: start, last: this.sequence, event, size: event.length }
  }
}

const textOf = (runs: readonly EventRun[]) => runs.map(({ event }) => event).join('')
const texts = (stream: Stream, after: number) =>
  Array.from({ length: stream.sequence - after }, (_, index) => eventText(stream, after + index + 1)).join('')

describe('what a session keeps of its events', () => {
  it('is given out from any event on, also in the middle of a run', () => {
    const stream = new Stream('tag.0.')
    const kept = new KeptEvents<Stream>({ events: 100, bytes: 1e6 }, () => {})
    kept.keep(stream.run(3))
    kept.keep(stream.run(9))
    for (let after = 0; after <= 12; after++) {
      expect(textOf(kept.after(stream, after))).toBe(texts(stream, after))
    }
  })

  it('is the newest events of all streams, whatever the runs they came in', () => {
    const runs = fc.array(fc.record({ stream: fc.nat(2), events: fc.integer({ min: 1, max: 12 }) }), {
      maxLength: 40,
    })
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 30 }), (given, events) => {
        const streams = [new Stream('a.0.'), new Stream('a.1.'), new Stream('a.2.')]
        const all: { stream: Stream; sequence: number }[] = []
        const kept = new KeptEvents<Stream>({ events, bytes: 1e9 }, () => {})
        for (const { stream: index, events: count } of given) {
          const stream = streams[index] as Stream
          const run = stream.run(count)
          for (let sequence = run.start; sequence <= run.last; sequence++) all.push({ stream, sequence })
          kept.keep(run)
        }
        const newest = all.slice(-events)
        for (const stream of streams) {
          const own = newest.filter(event => event.stream === stream)
          expect(stream.kept).toBe(own.length)
          expect(textOf(kept.after(stream, 0))).toBe(
            own.map(({ sequence }) => eventText(stream, sequence)).join(''),
          )
        }
      }),
    )
  })

  it('stays under the limit of bytes, but for the newest run', () => {
    const stream = new Stream('a.0.')
    const forgotten: Stream[] = []
    const kept = new KeptEvents<Stream>({ events: 1000, bytes: 600 }, dropped => forgotten.push(dropped))
    for (let round = 0; round < 20; round++) {
      kept.keep(stream.run(3))
      expect(textOf(kept.after(stream, 0)).length).toBeLessThanOrEqual(600)
      expect(kept.after(stream, stream.sequence - 1)).toHaveLength(1)
    }
    expect(forgotten).toContain(stream)
    kept.keep(stream.run(50))
    expect(textOf(kept.after(stream, 0))).toBe(texts(stream, stream.sequence - 50))
    kept.keep(stream.run(1))
    expect(textOf(kept.after(stream, 0))).toBe(texts(stream, stream.sequence - 1))
  })
})

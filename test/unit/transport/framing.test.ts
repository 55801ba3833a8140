import { describe, expect, test } from 'vitest'
import { TransportError } from '../../../src/exchange/errors.js'
import type { Noise } from '../../../src/protocol/line-codec.js'
import { type JSONRPCMessage, notification, resultResponse } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import type { ByteStream, Channel } from '../../../src/transport/channel/channel.js'
import { lineChannel } from '../../../src/transport/stdio/framing.js'

const encoder = new TextEncoder()

/** A stream whose far side is the test. */
class FakeStream implements ByteStream {
  readonly name = 'fake'
  readonly writes: string[] = []
  slow = false
  closes = 0
  paused = false
  #listener: Parameters<ByteStream['listen']>[0] | undefined
  #onDrain: (() => void)[] = []

  listen(listener: Parameters<ByteStream['listen']>[0]): void {
    this.#listener = listener
  }
  write(chunks: readonly (string | Uint8Array)[]): boolean {
    this.writes.push(
      chunks.map(chunk => (typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk))).join(''),
    )
    return !this.slow
  }
  drained(): Promise<void> {
    return new Promise(resolve => this.#onDrain.push(resolve))
  }
  drain(): void {
    for (const resolve of this.#onDrain.splice(0)) resolve()
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  async close(): Promise<void> {
    this.closes++
  }
  receive(text: string): void {
    this.#listener?.data(encoder.encode(text))
  }
  end(error?: Error): void {
    this.#listener?.closed(error)
  }
}

function listen(channel: Channel) {
  const messages: JSONRPCMessage[] = []
  const noise: Noise[] = []
  const ends: (Error | undefined)[] = []
  channel.listen({
    message: message => messages.push(message),
    noise: event => noise.push(event),
    closed: error => ends.push(error),
  })
  return { messages, noise, ends }
}

const turn = () => new Promise<void>(resolve => setTimeout(resolve))
const one = notification('one')
const two = notification('two')
const line = (message: unknown) => `${JSON.stringify(message)}\n`

describe('lineChannel', () => {
  test('what is sent in one turn is written at once, in order', async () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    expect(channel.send(one)).toBe(true)
    channel.send(resultResponse(1, RawJson.fromBytes(encoder.encode('{\n  "a": 1\n}'))))
    await Promise.resolve()
    await Promise.resolve()
    channel.send(two)
    expect(stream.writes).toEqual([])
    await turn()
    expect(stream.writes).toEqual([
      `${line(one)}{"jsonrpc":"2.0","id":1,"result":{   "a": 1 }}\n${line(two)}`,
    ])
    channel.send(two)
    await turn()
    expect(stream.writes).toHaveLength(2)
  })

  test('what is ambiguous is noise where it must not be, and else the last counts', () => {
    const twice =
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1,"a":2}}\n{"jsonrpc":"2.0","id":2,"method":"x","params":{"n":1e999}}\n'
    const lax = new FakeStream()
    const { messages } = listen(lineChannel(lax))
    lax.receive(twice)
    expect(messages).toMatchObject([{ id: 1, params: { a: 2 } }, { id: 2 }])
    const strict = new FakeStream()
    const { messages: none, noise } = listen(lineChannel(strict, { unambiguous: true }))
    strict.receive(twice)
    expect(none).toEqual([])
    expect(noise).toMatchObject([
      { kind: 'not-a-message', id: 1 },
      { kind: 'not-a-message', id: 2 },
    ])
  })

  test('a scheduler of the platform decides when', () => {
    const stream = new FakeStream()
    const flushes: (() => void)[] = []
    const channel = lineChannel(stream, { schedule: flush => flushes.push(flush) })
    channel.send(one)
    channel.send(two)
    expect(flushes).toHaveLength(1)
    flushes[0]?.()
    expect(stream.writes).toEqual([line(one) + line(two)])
    flushes[0]?.()
    expect(stream.writes).toHaveLength(1)
  })

  test('a full batch does not wait', () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    const large = notification('large', { text: 'x'.repeat(70_000) })
    channel.send(one)
    channel.send(large)
    expect(stream.writes).toEqual([line(one) + line(large)])
  })

  test('a slow far side is told to the sender, and what is sent meanwhile waits', async () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    stream.slow = true
    channel.send(one)
    await turn()
    expect(channel.send(two)).toBe(false)
    let drained = false
    channel.drained().then(() => {
      drained = true
    })
    await turn()
    expect([drained, stream.writes]).toEqual([false, [line(one)]])
    stream.drain()
    await turn()
    expect([drained, stream.writes]).toEqual([false, [line(one), line(two)]])
    stream.slow = false
    stream.drain()
    await turn()
    expect(drained).toBe(true)
    expect(channel.send(one)).toBe(true)
    await channel.drained()
    expect(stream.writes).toEqual([line(one), line(two), line(one)])
  })

  test('a sender that ignores backpressure ends the channel rather than the memory', async () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream, { maxQueue: 1000 })
    const { ends, messages } = listen(channel)
    stream.slow = true
    channel.send(one)
    await turn()
    for (let count = 0; count < 100; count++) channel.send(two)
    expect(ends).toEqual([expect.any(TransportError)])
    expect(ends[0]).toMatchObject({ code: 'ERR_BUSY', facts: { knob: 'maxQueue' } })
    expect(stream.closes).toBe(1)
    stream.receive(line(one))
    stream.end()
    expect(messages).toEqual([])
    expect(ends).toHaveLength(1)
    expect(stream.writes).toEqual([line(one)])
  })

  test('delivers messages and noise, and the last line before the end', () => {
    const stream = new FakeStream()
    const { messages, noise, ends } = listen(lineChannel(stream, { maxMessage: 100 }))
    stream.receive(
      `banner\n${line(one)}${line(notification('long', { text: 'x'.repeat(100) }))}${JSON.stringify(two)}`,
    )
    expect(messages).toEqual([one])
    const error = new Error('gone')
    stream.end(error)
    expect(messages).toEqual([one, two])
    expect(noise.map(event => event.kind)).toEqual(['not-json', 'too-large'])
    expect(ends).toEqual([error])
    stream.end()
    expect(ends).toEqual([error])
  })

  test('close writes what is queued, once, and drops what comes later', async () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    const { messages } = listen(channel)
    channel.send(one)
    await Promise.all([channel.close(), channel.close()])
    expect(channel.send(two)).toBe(true)
    await turn()
    expect(stream.writes).toEqual([line(one)])
    expect(stream.closes).toBe(1)
    // The far side may still answer until it is gone.
    stream.receive(line(two))
    expect(messages).toEqual([two])
    stream.end()
    await channel.drained()
  })

  test('a dead stream drops', async () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    listen(channel)
    channel.send(one)
    stream.end()
    expect(channel.send(one)).toBe(true)
    await turn()
    expect(stream.writes).toEqual([])
  })

  test('passes on pause and resume, and has one listener', () => {
    const stream = new FakeStream()
    const channel = lineChannel(stream)
    listen(channel)
    channel.pause()
    expect(stream.paused).toBe(true)
    channel.resume()
    expect(stream.paused).toBe(false)
    expect(channel.name).toBe('fake')
    expect(() => listen(channel)).toThrow(TypeError)
  })
})

import { describe, expect, it } from 'vitest'
import { firstLine } from '../../../../src/node/shared/first-line.js'
import type { ByteListener, ByteStream } from '../../../../src/transport/channel/channel.js'

/** A stream whose far side is the test. It breaks its promise, as pipes do: what was read before a pause still comes. */
function source() {
  let listener: ByteListener | undefined
  const stream: ByteStream & { paused: boolean } = {
    name: 'pipe',
    paused: false,
    listen: given => {
      listener = given
    },
    write: () => true,
    drained: () => Promise.resolve(),
    pause: () => {
      stream.paused = true
    },
    resume: () => {
      stream.paused = false
    },
    close: () => Promise.resolve(),
  }
  return {
    stream,
    send: (text: string | Uint8Array) => listener?.data(typeof text === 'string' ? Buffer.from(text) : text),
    close: (error?: Error) => listener?.closed(error),
  }
}

function gather(stream: ByteStream) {
  const chunks: Uint8Array[] = []
  const ends: (Error | undefined)[] = []
  stream.listen({ data: chunk => chunks.push(chunk), closed: error => ends.push(error) })
  return { text: () => Buffer.concat(chunks).toString(), ends }
}

const options = { limit: 100, timeout: 5_000 }

describe('the first line', () => {
  it.each([1, 2, 3, 7, 100])('is split off wherever the bytes are split: %i at a time', async size => {
    const { stream, send } = source()
    const reading = firstLine(stream, options)
    const bytes = Buffer.from('grüße\nrest 😀\n\nmore')
    for (let at = 0; at < bytes.length; at += size) send(bytes.subarray(at, at + size))
    const { line, rest } = await reading
    expect(line).toBe('grüße')
    expect(stream.paused).toBe(true)
    const { text } = gather(rest)
    expect(text()).toBe('rest 😀\n\nmore')
    expect(stream.paused).toBe(false)
    send('!')
    expect(text()).toBe('rest 😀\n\nmore!')
  })

  it('does not hide the end that comes before anybody listens', async () => {
    const { stream, send, close } = source()
    const reading = firstLine(stream, options)
    send('line\nrest')
    const error = new Error('broken')
    close(error)
    const { text, ends } = gather((await reading).rest)
    expect([text(), ends]).toEqual(['rest', [error]])
  })

  it('that does not come is told', async () => {
    const silent = source()
    await expect(firstLine(silent.stream, { limit: 100, timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    })
    const closed = source()
    const reading = firstLine(closed.stream, options)
    closed.send('half')
    closed.close()
    await expect(reading).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    const long = source()
    const endless = firstLine(long.stream, options)
    long.send('x'.repeat(101))
    await expect(endless).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
    long.send('\n')
  })
})

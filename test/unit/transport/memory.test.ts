import { describe, expect, test } from 'vitest'
import type { Noise } from '../../../src/protocol/line-codec.js'
import {
  type JSONRPCMessage,
  type JSONRPCResultResponse,
  notification,
  resultResponse,
} from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import type { Channel } from '../../../src/transport/channel/channel.js'
import { memoryChannelPair } from '../../../src/transport/channel/memory.js'

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
const numbered = (count: number) => Array.from({ length: count }, (_, index) => notification(`n${index}`))

describe('memoryChannelPair', () => {
  test('carries messages both ways, later, in order, as other objects', async () => {
    const [left, right] = memoryChannelPair()
    left.send(notification('early'))
    const atLeft = listen(left)
    const atRight = listen(right)
    const sent = numbered(100)
    for (const message of sent) left.send(message)
    right.send(resultResponse(1, { text: 'é'.repeat(50_000) }))
    expect(atRight.messages).toEqual([])
    await turn()
    expect(atRight.messages).toEqual([notification('early'), ...sent])
    expect(atRight.messages[1]).not.toBe(sent[0])
    const answer = atLeft.messages[0] as JSONRPCResultResponse
    expect(answer.result).toBeInstanceOf(RawJson)
    expect(JSON.parse(JSON.stringify(answer))).toEqual(resultResponse(1, { text: 'é'.repeat(50_000) }))
  })

  test('an answer sent while a message is delivered comes after it', async () => {
    const [left, right] = memoryChannelPair()
    const { messages } = listen(left)
    right.listen({ message: message => right.send(message), closed: () => {} })
    for (const message of numbered(10)) left.send(message)
    await turn()
    expect(messages).toEqual(numbered(10))
  })

  test('a paused end makes the sender wait', async () => {
    const [left, right] = memoryChannelPair({ highWater: 50 })
    const { messages } = listen(right)
    right.pause()
    expect(left.send(notification('a'))).toBe(true)
    expect(left.send(notification('b'))).toBe(false)
    let drained = false
    left.drained().then(() => {
      drained = true
    })
    await turn()
    expect([drained, messages]).toEqual([false, []])
    right.resume()
    await turn()
    expect([drained, messages.length]).toEqual([true, 2])
    await left.drained()
  })

  test('close ends both sides once, and what is sent later is dropped', async () => {
    const [left, right] = memoryChannelPair()
    const atLeft = listen(left)
    const atRight = listen(right)
    left.send(notification('a'))
    right.send(notification('too late for who has closed'))
    await left.close()
    await right.close()
    expect(left.send(notification('b'))).toBe(true)
    await turn()
    expect(atRight.ends).toEqual([undefined])
    expect(atLeft.ends).toEqual([undefined])
    expect(atLeft.messages).toEqual([])
    expect(right.send(notification('c'))).toBe(true)
    await right.drained()
  })

  test('the far end sees what was sent before the end', async () => {
    const [left, right] = memoryChannelPair()
    const atRight = listen(right)
    right.pause()
    left.send(notification('a'))
    await left.close()
    await left.drained()
    await turn()
    expect(atRight).toMatchObject({ messages: [], ends: [] })
    right.resume()
    await turn()
    expect(atRight).toMatchObject({ messages: [notification('a')], ends: [undefined] })
  })

  test('a far end that never reads ends the channel rather than the memory', async () => {
    const [left, right] = memoryChannelPair({ maxQueue: 1000 })
    const atLeft = listen(left)
    const atRight = listen(right)
    right.pause()
    for (const message of numbered(100)) left.send(message)
    await turn()
    expect(atLeft.ends).toMatchObject([{ code: 'ERR_BUSY' }])
    expect(atRight.ends).toMatchObject([{ code: 'ERR_BUSY' }])
  })

  test('limits what it receives', async () => {
    const [left, right] = memoryChannelPair({ maxMessage: 100 })
    const { noise } = listen(right)
    left.send(resultResponse(7, { text: 'x'.repeat(200) }))
    await turn()
    expect(noise).toMatchObject([{ kind: 'too-large', id: 7 }])
  })
})

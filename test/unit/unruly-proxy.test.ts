import { createServer, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Mischief, type UnrulyProxy, unrulyProxy } from '../fixtures/unruly-proxy.js'

const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const EVENTS = Array.from({ length: 10 }, (_, index) => `id: ${index}\ndata: {"number":${index}}\n\n`)

interface Through {
  readonly proxy: UnrulyProxy
  /** What the server was asked, with the body. */
  readonly asked: string[]
}

async function through(mischief: Mischief, listener?: RequestListener): Promise<Through> {
  const asked: string[] = []
  const server = createServer(async (incoming, outgoing) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    asked.push(`${incoming.method} ${incoming.url} ${body}`)
    if (listener !== undefined) return listener(incoming, outgoing)
    outgoing.writeHead(200, { 'content-type': 'text/event-stream', 'x-own': 'kept' })
    for (const event of EVENTS) outgoing.write(event)
    outgoing.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const proxy = await unrulyProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, ({ path }) =>
    path === '/well' ? {} : mischief,
  )
  ends.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => proxy.close(),
  )
  return { proxy, asked }
}

interface Answer {
  readonly status: number | undefined
  readonly own: string | undefined
  readonly text: string
  readonly error: string | undefined
  /** Milliseconds until each part came. */
  readonly parts: readonly number[]
}

function ask({ proxy }: Through, path = '/mcp'): Promise<Answer> {
  return new Promise(resolve => {
    const since = performance.now()
    const parts: number[] = []
    let text = ''
    const outgoing = request(`${proxy.origin}${path}`, { method: 'POST', agent: false }, answer => {
      const done = (error?: NodeJS.ErrnoException) =>
        resolve({
          status: answer.statusCode,
          own: answer.headers['x-own'] as string | undefined,
          text,
          error: error?.code,
          parts,
        })
      answer.setEncoding('utf8').on('data', chunk => {
        text += chunk
        parts.push(performance.now() - since)
      })
      answer.on('end', () => done()).on('error', done)
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: undefined, own: undefined, text, error: error.code, parts }),
    )
    outgoing.end('body')
  })
}

describe('the unruly proxy', () => {
  it('passes everything on where it is well-behaved', async () => {
    const there = await through({ lose: true })
    expect(await ask(there, '/well')).toMatchObject({
      status: 200,
      own: 'kept',
      text: EVENTS.join(''),
      error: undefined,
    })
    expect(there.asked).toEqual(['POST /well body'])
    expect(there.proxy).toMatchObject({ requests: 1, cuts: 0 })
  })

  it('loses requests before the server sees them', async () => {
    const there = await through({ lose: true })
    expect(await ask(there)).toMatchObject({ status: undefined, error: 'ECONNRESET' })
    expect(there.asked).toEqual([])
    expect(there.proxy.cuts).toBe(1)
  })

  it('refuses requests, and replaces answers', async () => {
    const refused = await through({ refuse: 502 })
    expect(await ask(refused)).toMatchObject({ status: 502, text: 'unruly' })
    expect(refused.asked).toEqual([])
    const replaced = await through({ replace: 504 })
    expect(await ask(replaced)).toMatchObject({ status: 504, text: 'unruly' })
    expect(replaced.asked).toHaveLength(1)
  })

  it('delays requests', async () => {
    const there = await through({ delay: 100 })
    const answering = ask(there)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(there.asked).toEqual([])
    const { parts, text } = await answering
    expect(parts[0]).toBeGreaterThan(95)
    expect(text).toBe(EVENTS.join(''))
  })

  it('keeps answers back, and loses nothing', async () => {
    const there = await through({ hold: 150 }, (_incoming, outgoing) => {
      outgoing.write('one ')
      setTimeout(() => outgoing.write('two '), 20)
      setTimeout(() => outgoing.end('three'), 40)
    })
    const { parts, text } = await ask(there)
    expect(text).toBe('one two three')
    expect(parts[0]).toBeGreaterThan(140)
  })

  it('cuts answers into pieces', async () => {
    const there = await through({ pieces: 1 })
    const { parts, text } = await ask(there)
    expect(text).toBe(EVENTS.join(''))
    expect(parts.length).toBeGreaterThan(20)
  })

  it.each([false, true])('cuts answers after so many bytes: reset %s', async reset => {
    const there = await through({ cutAfter: 25, reset })
    const { status, text, error } = await ask(there)
    expect(error).toBe('ECONNRESET')
    expect(there.proxy.cuts).toBe(1)
    if (reset) expect(EVENTS.join('').slice(0, 25).startsWith(text)).toBe(true)
    else expect([status, text]).toEqual([200, EVENTS.join('').slice(0, 25)])
  })

  it('cuts answers before their head, behind the server', async () => {
    const there = await through({ cutAfter: -1 })
    expect(await ask(there)).toMatchObject({ status: undefined, error: 'ECONNRESET' })
    expect(there.asked).toHaveLength(1)
  })

  it('cuts event streams within the event behind so many, and not where there is none', async () => {
    const lengths = new Set<number>()
    for (let round = 0; round < 20; round++) {
      const { text, error } = await ask(await through({ cutAfterEvents: 3 }))
      expect(error).toBe('ECONNRESET')
      const four = EVENTS.slice(0, 4).join('')
      expect(text.startsWith(EVENTS.slice(0, 3).join(''))).toBe(true)
      expect(four.startsWith(text) && text.length < four.length).toBe(true)
      lengths.add(text.length)
    }
    expect(lengths.size).toBeGreaterThan(3)
    expect(await ask(await through({ cutAfterEvents: 10 }))).toMatchObject({
      text: EVENTS.join(''),
      error: undefined,
    })
  })

  it('hangs up there where somebody hangs up here', async () => {
    let gone: () => void = () => {}
    const left = new Promise<void>(resolve => {
      gone = resolve
    })
    const there = await through({}, (_incoming, outgoing) => {
      outgoing.write('one')
      outgoing.on('close', gone)
    })
    const outgoing = request(`${there.proxy.origin}/mcp`, { method: 'POST', agent: false }, answer => {
      answer.on('error', () => {})
      answer.once('data', () => outgoing.destroy())
    })
    outgoing.on('error', () => {})
    outgoing.end()
    await left
  })
})

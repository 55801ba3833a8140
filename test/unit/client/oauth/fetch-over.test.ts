import { expect, it } from 'vitest'
import { fetchOver } from '../../../../src/client/oauth/fetch-over.js'
import type { Context } from '../../../../src/exchange/context.js'
import type {
  HttpAnswer,
  HttpBodyListener,
  HttpCall,
  HttpClient,
} from '../../../../src/exchange/http-client.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly deliver: (listener: HttpBodyListener) => void
}

function clientWith(answer: Answer) {
  const seen: { call?: HttpCall; context?: Context; cancelled: number } = { cancelled: 0 }
  const client: HttpClient = {
    async send(call, context) {
      Object.assign(seen, { call, context })
      const head: HttpAnswer = {
        status: answer.status,
        header: name => answer.headers[name],
        listen: listener => answer.deliver(listener),
        pause: () => {},
        resume: () => {},
        cancel: () => {
          seen.cancelled++
        },
      }
      return head
    },
    close: async () => {},
  }
  return { fetch: fetchOver(client), seen }
}

const bytes = (text: string) => new TextEncoder().encode(text)

it('sends a form and reads the answer', async () => {
  const { fetch, seen } = clientWith({
    status: 400,
    headers: { 'content-type': 'application/json', 'www-authenticate': 'Bearer', 'x-other': 'x' },
    deliver(listener) {
      listener.data(bytes('{"a":'))
      listener.data(bytes('1}'))
      listener.closed()
    },
  })
  const response = await fetch('https://x.example/token', {
    method: 'POST',
    headers: { accept: 'application/json' },
    body: new URLSearchParams({ a: 'b c' }),
  })
  expect(seen.call).toEqual({
    method: 'POST',
    url: 'https://x.example/token',
    headers: { accept: 'application/json' },
    body: 'a=b+c',
  })
  expect([response.status, response.headers.get('www-authenticate'), await response.json()]).toEqual([
    400,
    'Bearer',
    { a: 1 },
  ])
})

it('rejects where the body breaks off', async () => {
  const { fetch } = clientWith({
    status: 200,
    headers: {},
    deliver: listener => listener.closed(new Error('cut')),
  })
  await expect(fetch('https://x.example', {})).rejects.toThrow('cut')
})

it('does not read without end', async () => {
  const { fetch, seen } = clientWith({
    status: 200,
    headers: {},
    deliver(listener) {
      for (let i = 0; i < 10; i++) listener.data(new Uint8Array(1024 * 1024))
    },
  })
  await fetch('https://x.example', {})
  expect(seen.cancelled).toBe(1)
})

it('hangs up when it is aborted', async () => {
  const { fetch, seen } = clientWith({ status: 200, headers: {}, deliver: () => {} })
  const controller = new AbortController()
  void fetch('https://x.example', { signal: controller.signal })
  await expect.poll(() => seen.context).toBeDefined()
  expect(seen.context?.cancelled).toBeUndefined()
  controller.abort()
  expect(seen.context?.cancelled).toBe('timeout')
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** `anyport connect --shared`: one way to a remote server for all clients of a machine (docs/sharing.md). */

import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../../src/node/connect.js'
import { serve } from '../../src/node/serve.js'
import { authorizationFixture } from '../fixtures/authorization-server.js'
import { type HttpFront, httpFront } from '../fixtures/http-front.js'
import {
  type ClientOptions,
  SHARING_SERVER,
  type SharedClient,
  type Sharing,
  sharing,
} from './shared-client.js'

const BROWSER = fileURLToPath(new URL('../fixtures/browser.mjs', import.meta.url))

let shared: Sharing
const ends: (() => unknown)[] = []

beforeEach(() => {
  shared = sharing()
})

afterEach(async () => {
  await shared.end()
  for (const end of ends.splice(0).reverse()) await end()
})

/** A server with sessions at an address, and what passes on the way to it. */
async function remote(era: 'legacy' | 'modern'): Promise<HttpFront & { readonly url: string }> {
  const target = connect({ command: process.execPath, args: [SHARING_SERVER, '--era', era] })
  const server = await serve(target, { port: 0 })
  ends.push(() => server.close({ drainTimeout: 0 }))
  const front = await httpFront(server.url as string)
  ends.push(front.close)
  return { ...front, url: `http://127.0.0.1:${front.port}/mcp` }
}

const wordsOf = (response: { result?: { structuredContent?: { words: string } } }) =>
  response.result?.structuredContent?.words

const several = (count: number, options: (index: number) => ClientOptions): Promise<SharedClient[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => shared.client(options(index))))

describe.each(['legacy', 'modern'] as const)('eight clients, and a %s server', era => {
  test('have one entry, each its own replies and questions; the last one leaves', async () => {
    const { url } = await remote(era)
    const clients = await several(8, index => ({
      url,
      options: ['--linger', '200ms'],
      era: index % 2 === 0 ? 'legacy' : 'modern',
      elicit: message => `${message} by ${index}`,
    }))
    const listed = await shared.ps()
    expect(listed).toMatchObject([{ servers: [{ name: url, clients: 8 }] }])
    await Promise.all(
      clients.map(async (client, index) => {
        const own = [1, 2, 3].map(call => `client ${index} call ${call}`)
        const echoed = own.map(words => client.call('echo', { words, delay: (index * 7) % 20 }))
        expect((await Promise.all(echoed)).map(wordsOf)).toEqual(own)
        const asked = await Promise.all(own.map(who => client.call('ask', { who })))
        expect(asked.map(wordsOf)).toEqual(own.map(who => `${who}: ${who} by ${index}`))
        expect(client.questions.toSorted()).toEqual(own)
      }),
    )
    for (const client of clients) expect(await client.leave()).toBe(0)
    await expect.poll(() => shared.ps(), { timeout: 15_000 }).toEqual([])
  })
})

test('clients with another token have another way, and no token is seen', async () => {
  const there = await remote('modern')
  const url = `${there.url}?key=planted-key`
  const tokens = ['planted-one', 'planted-two', 'planted-one', '${planted}']
  const clients = await several(4, index => ({
    url,
    options: ['--header', 'Authorization: Bearer ${EXAMPLE_TOKEN}'],
    environment: { EXAMPLE_TOKEN: tokens[index] as string },
  }))
  for (const client of clients) expect(wordsOf(await client.call('echo', { words: 'x' }))).toBe('x')
  const [{ pid, servers }] = await shared.ps()
  expect(servers.map((one: { clients: number }) => one.clients).toSorted()).toEqual([1, 1, 2])
  expect(new Set(there.seen.map(({ headers }) => headers.authorization))).toEqual(
    new Set(tokens.map(token => `Bearer ${token}`)),
  )
  const seen = [
    readFileSync(`/proc/${pid}/cmdline`),
    readFileSync(`/proc/${pid}/environ`),
    shared.log(),
    (await shared.run('ps')).stdout,
  ]
  expect(seen.join('\n')).not.toMatch(/planted/)
})

test('a person signs in once for all clients, at the browser of the first', async () => {
  const there = await remote('modern')
  const fixture = await authorizationFixture({ behind: there.url })
  ends.push(() => fixture.close())
  const folder = dirname(shared.folder)
  const log = join(folder, 'browser.log')
  writeFileSync(log, '')
  const clients = await several(4, () => ({
    url: fixture.url.href,
    environment: { XDG_STATE_HOME: folder, BROWSER: `${process.execPath} ${BROWSER} ${log}` },
  }))
  const answers = await Promise.all(
    clients.map((client, index) => client.call('echo', { words: `${index}` })),
  )
  expect(answers.map(wordsOf)).toEqual(['0', '1', '2', '3'])
  expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(1)
  expect(shared.log()).toContain('"event":"signed_in"')
})

test('where nobody can sign in, the client is told what to do', async () => {
  const there = await remote('modern')
  const fixture = await authorizationFixture({ behind: there.url })
  ends.push(() => fixture.close())
  const client = shared.start({
    url: fixture.url.href,
    era: 'modern',
    options: ['--no-browser', '--sign-in-timeout', '500ms'],
    environment: { XDG_STATE_HOME: dirname(shared.folder) },
  })
  expect((await client.call('echo', { words: '' })).error.message).toContain(
    `anyport login ${fixture.url.href}`,
  )
})

test.each([
  [['--shared', 'socket:/x'], '--shared is for what is called by HTTP'],
  [['--linger', '1s', 'https://a/'], '--linger is for --shared'],
  [['--shared', 'https://a/', '--header', 'A: ${ANYPORT_TEST_NONE}'], '--header: A needs the variable'],
  [['--shared', 'https://a/', '--ca', BROWSER], '--ca: no certificate in PEM'],
  [['--shared', 'https://a/', '--client-id', 'a', '--client-key', BROWSER], 'is no private key in PEM form'],
  [['--shared', 'wss://a/'], 'only http, https and http+unix addresses can be reached'],
])('wrong use is told: %j', async (argv, text) => {
  const { code, stderr } = await shared.run('connect', ...argv)
  expect(stderr).toContain(text)
  expect(code).toBe(2)
})

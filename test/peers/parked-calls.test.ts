/** Calls that wait for answers, over HTTP, at a real process. */

import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type { JSONObject } from '../../src/protocol/message.js'
import { modernMeta, rawStreamableHttp } from '../fixtures/raw-clients.js'
import { runAnyport, stopAll } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'

const SERVER = fileURLToPath(new URL('../fixtures/processes/asking-server.mjs', import.meta.url))

afterEach(stopAll)

interface Reply {
  readonly result?: JSONObject & {
    readonly resultType: string
    readonly requestState?: string
    readonly inputRequests?: Readonly<Record<string, { readonly params: { readonly message: string } }>>
    readonly content?: readonly { readonly text: string }[]
  }
  readonly error?: { readonly code: number; readonly message: string; readonly data?: JSONObject }
}

async function serve(...options: string[]) {
  const journal = join(mkdtempSync(join(tmpdir(), 'anyport-parked-')), 'journal')
  const anyport = runAnyport(
    ...['serve', '--port', '0', '--log-format', 'json', ...options],
    ...['--', process.execPath, SERVER, journal],
  )
  const client = rawStreamableHttp((await anyport.event('listening')).url as string, 'modern')
  const call = (who: string, extra: JSONObject = {}, name = 'ask') =>
    client.request('tools/call', {
      name,
      arguments: { who },
      ...extra,
      _meta: modernMeta({ elicitation: {} }),
    }) as unknown as Promise<Reply>
  return {
    anyport,
    call,
    journal: (): JSONObject[] =>
      existsSync(journal)
        ? readFileSync(journal, 'utf8')
            .trim()
            .split('\n')
            .map(line => JSON.parse(line))
        : [],
  }
}

const answer = ({ result }: Reply, word: string): JSONObject => ({
  requestState: result?.requestState,
  inputResponses: Object.fromEntries(
    Object.keys(result?.inputRequests ?? {}).map(key => [key, { action: 'accept', content: { word } }]),
  ),
})

describe('calls that wait at a process', () => {
  it('get each its own answer, and run once', async () => {
    const { call, journal } = await serve('--state-key', 'a secret of all replicas')
    // A principal has four connections, and nobody authenticates here.
    const names = ['a', 'b', 'c', 'd']
    const asked = await Promise.all(names.map(name => call(name)))
    for (const [index, { result }] of asked.entries()) {
      const messages = Object.values(result?.inputRequests ?? {}).map(({ params }) => params.message)
      expect(messages).toEqual([names[index]])
    }
    for (const index of [2, 0, 3, 1]) {
      const name = names[index] as string
      const reply = asked[index] as Reply
      const forged = { ...answer(reply, 'no'), requestState: `${reply.result?.requestState}x` }
      expect((await call(name, forged)).error?.code).toBe(-32602)
      expect((await call('another', answer(reply, 'no'))).error?.code).toBe(-32602)
      const done = await call(name, answer(reply, `word of ${name}`))
      expect(done.result).toMatchObject({
        resultType: 'complete',
        content: [{ text: `${name}: word of ${name}` }],
      })
      expect((await call(name, answer(reply, 'again'))).error?.code).toBe(-32602)
    }
    const ran = journal().filter(({ ran }) => ran !== undefined)
    expect(ran.map(({ ran }) => ran).sort()).toEqual(names)
  })

  it('expire: the server is told, and its connection is free again', async () => {
    const { call, journal } = await serve('--park-timeout', '300ms')
    const lost = await Promise.all(['a', 'b', 'c', 'd'].map(name => call(name)))
    await until(() => journal().filter(({ cancelled }) => cancelled !== undefined).length === 4, 'four ends')
    expect(journal().filter(({ answered }) => answered !== undefined)).toEqual(
      Array.from({ length: 4 }, () => ({ answered: { action: 'cancel' } })),
    )
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) {
      const late = await call(name, answer(lost[index] as Reply, 'late'))
      expect(late.error).toMatchObject({ code: -32602, message: expect.stringContaining('expired') })
    }
    const begun = performance.now()
    const next = await call('next')
    expect(performance.now() - begun).toBeLessThan(1_000)
    expect((await call('next', answer(next, 'word'))).result?.content?.[0]?.text).toBe('next: word')
    expect(journal().filter(({ ran }) => ran === 'next')).toHaveLength(1)
  })

  it('fail with the reason where the server dies meanwhile', async () => {
    const { anyport, call, journal } = await serve()
    const asked = await Promise.all([call('a', {}, 'die'), call('b', {}, 'die')])
    await new Promise(resolve => setTimeout(resolve, 400))
    for (const [index, name] of ['a', 'b'].entries()) {
      const failed = await call(name, answer(asked[index] as Reply, 'word'), 'die')
      expect(failed.error).toMatchObject({
        code: -31001,
        message: expect.stringContaining('137'),
        data: {
          code: 'ERR_EXITED',
          exitCode: 137,
          hop: expect.stringContaining('asking-server.mjs'),
          stderr: ['out of memory'],
        },
      })
    }
    // Nothing is sent again by itself; a new call finds a new process.
    expect(journal().filter(({ ran }) => ran !== undefined)).toHaveLength(2)
    const next = await call('c')
    expect((await call('c', answer(next, 'word'))).result?.content?.[0]?.text).toBe('c: word')
    expect(anyport.process.exitCode).toBe(null)
  })

  it('have limits that the command line sets', async () => {
    const { call } = await serve('--max-parked', '1')
    const reply = await call('a')
    expect((await call('b')).error).toMatchObject({ code: -31003, data: { option: '--max-parked' } })
    expect((await call('a', answer(reply, 'word'))).result?.content?.[0]?.text).toBe('a: word')
  })
})

describe('what the command line says of it', () => {
  it('is each loss: the first of a kind for everybody, the others for who looks closer', async () => {
    const { anyport } = await serve('--log-level', 'debug')
    const losses = () => anyport.records().filter(({ event }) => event === 'loss')
    await until(() => losses().length === 2, 'two losses')
    const loss = { kind: 'log-without-owner', detail: 'notifications/message' }
    expect(losses()).toMatchObject([
      { level: 'info', ...loss, count: 1 },
      { level: 'debug', ...loss, count: 2 },
    ])
  })

  it.each([
    ['--timeout', 'did not answer'],
    ['--max-timeout', 'did not finish'],
  ])('is obeyed: %s', async (option, what) => {
    const { call, journal } = await serve(option, '300ms')
    const begun = performance.now()
    expect((await call('x', {}, 'silent')).error).toMatchObject({
      code: -31002,
      message: expect.stringContaining(`${what} tools/call within 300 ms`),
      data: { code: 'ERR_TIMEOUT', hop: expect.stringContaining('asking-server.mjs'), option },
    })
    expect(performance.now() - begun).toBeLessThan(2_000)
    await until(() => 'cancelled' in (journal().at(-1) ?? {}), 'the cancel')
  })
})

describe('the key of the state', () => {
  it.each([
    ['--state-key', ['--state-key', 'too short'], undefined],
    ['ANYPORT_STATE_KEY', [], 'too short'],
  ])('from %s is not too short, and never shown', async (source, options, variable) => {
    if (variable !== undefined) process.env.ANYPORT_STATE_KEY = variable
    const { exited, stderr } = runAnyport('serve', '--port', '0', ...options, '--', process.execPath)
    delete process.env.ANYPORT_STATE_KEY
    expect(await exited).toBe(2)
    expect(stderr()).toContain(`${source}: the secret must have at least 16 characters; this one has 9`)
    expect(stderr()).not.toContain('too short')
  })
})

/** 200 calls of 50 principals that wait for answers at real processes, all at the same time. */

import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { type Upstream, upstream } from '../../src/client/upstream.js'
import { connect } from '../../src/node/connect.js'
import type { JSONObject } from '../../src/protocol/message.js'
import { type ModernReply, modernRequest } from '../fixtures/modern-request.js'
import { until } from '../fixtures/until.js'

const SERVER = fileURLToPath(new URL('../fixtures/processes/asking-server.mjs', import.meta.url))
const PRINCIPALS = 50
const CALLS = 200
/** Of those, as many lose their server while they wait. */
const KILLED = 50
/** Starting 200 processes is what takes the time. */
const PATIENCE = 120_000

interface Call {
  readonly who: string
  readonly principal: string
}

let open: Upstream | undefined
afterEach(() => open?.close())

it(
  'get each its own answer, and run once; those whose server is killed are told so',
  async () => {
    const journal = join(mkdtempSync(join(tmpdir(), 'anyport-parked-')), 'journal')
    const target = connect({ command: process.execPath, args: [SERVER, journal] })
    const up = upstream(target, { protocol: 'legacy', spillAfter: 10, startTimeout: PATIENCE })
    open = up
    const send = ({ who, principal }: Call, extra: JSONObject = {}) =>
      modernRequest(up.handler, 'tools/call', { name: 'ask', arguments: { who }, ...extra }, { principal })

    const calls = Array.from({ length: CALLS }, (_, index) => ({
      who: `call ${index}`,
      principal: `principal ${index % PRINCIPALS}`,
    }))
    const parked = await Promise.all(calls.map(async call => ({ call, reply: await send(call) })))
    for (const { call, reply } of parked) {
      const [question] = Object.values(reply.result?.inputRequests ?? {})
      expect(question, JSON.stringify(reply)).toMatchObject({ params: { message: call.who } })
    }
    const runs = recordsOf(journal).filter(({ ran }) => ran !== undefined)
    expect(new Set(runs.map(({ pid }) => pid)).size).toBe(CALLS)
    expect(up.counts()).toMatchObject({ connections: CALLS, parked: CALLS })

    const someoneElse = (principal: string) =>
      calls.find(call => call.principal !== principal)?.principal ?? ''
    for (const { call, reply } of parked.slice(0, 20)) {
      const forged = {
        ...answerTo(reply, 'no'),
        requestState: `${reply.result?.requestState?.slice(0, -2)}AA`,
      }
      const foreign = { ...call, principal: someoneElse(call.principal) }
      expect((await send(call, forged)).error?.code).toBe(-32602)
      expect((await send(foreign, answerTo(reply, 'no'))).error?.code).toBe(-32602)
    }

    const victims = parked.slice(-KILLED)
    for (const { call } of victims) {
      process.kill(runs.find(({ ran }) => ran === call.who)?.pid as number, 'SIGKILL')
    }
    const answered = parked.slice(0, -KILLED).reverse()
    await Promise.all(
      answered.map(async ({ call, reply }) => {
        const done = await send(call, answerTo(reply, `word of ${call.who}`))
        expect(done.result?.content, JSON.stringify(done)).toMatchObject([
          { text: `${call.who}: word of ${call.who}` },
        ])
        expect((await send(call, answerTo(reply, 'again'))).error?.code).toBe(-32602)
      }),
    )
    await until(() => up.counts().connections <= CALLS - KILLED, 'the end of the killed')
    await Promise.all(
      victims.map(async ({ call, reply }) => {
        expect((await send(call, answerTo(reply, 'late'))).error).toMatchObject({
          message: expect.stringContaining('SIGKILL'),
          data: { code: 'ERR_EXITED', signal: 'SIGKILL', hop: expect.stringContaining('asking-server.mjs') },
        })
      }),
    )
    expect(up.counts().parked).toBe(0)
    const ran = recordsOf(journal).flatMap(({ ran }) => (ran === undefined ? [] : [ran]))
    expect(ran.sort()).toEqual(calls.map(({ who }) => who).sort())
  },
  PATIENCE,
)

const answerTo = ({ result }: ModernReply, word: string): JSONObject => ({
  requestState: result?.requestState,
  inputResponses: Object.fromEntries(
    Object.keys(result?.inputRequests ?? {}).map(key => [key, { action: 'accept', content: { word } }]),
  ),
})

interface JournalRecord {
  readonly ran?: string
  readonly pid?: number
}

function recordsOf(journal: string): JournalRecord[] {
  if (!existsSync(journal)) return []
  const lines = readFileSync(journal, 'utf8').trim().split('\n')
  return lines.map(line => JSON.parse(line) as JournalRecord)
}

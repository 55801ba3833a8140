import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { modernClient, type RawClient, sessionClient, sseClient } from './raw-clients.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const SERVER = fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))

const RAW_CLIENTS = 60
const RAW_CALLS = 325
const SDK_CALLS = 125
/** Calls that each client has under way at once. */
const WIDTH = 8

test.each(['legacy', 'modern'])(
  '20,000 calls of 64 clients, over all wires at once, to a %s server',
  async era => {
    const anyport = await startAnyport([process.execPath, SERVER, '--era', era])
    const open = [modernClient, sessionClient, sseClient] as const
    const urls = [anyport.url, anyport.url, anyport.sseUrl]
    const callers = await Promise.all(
      Array.from({ length: RAW_CLIENTS }, (_, index) =>
        newCaller(`raw-${index}`, receive => open[index % 3]!(urls[index % 3]!, receive)),
      ),
    )
    const peers = await connectPeers(anyport)

    const answered = await Promise.all([
      ...callers.map(caller => caller.run(RAW_CALLS)),
      ...peers.map((peer, index) => callAsSdk(peer, `sdk-${index}`, SDK_CALLS)),
    ])

    expect(callers.flatMap(caller => caller.faults).slice(0, 10)).toEqual([])
    expect(answered.reduce((sum, count) => sum + count, 0)).toBe(20_000)
    const counts = (await peers[0]!.callTool('counts')).structuredContent
    expect(counts.cancelled).toBe(0)
    await Promise.all([...callers, ...peers].map(client => client.close()))
    await anyport.stop()
  },
)

interface Caller {
  /** What arrived that should not have, or not so. */
  readonly faults: string[]
  /** Makes so many calls; resolves to how many were answered. */
  run(calls: number): Promise<number>
  close(): Promise<void>
}

interface Expected {
  readonly words: string
  readonly token: string | number | undefined
  readonly steps: number
  progress: number
  readonly done: () => void
}

/**
 * Its ids and tokens are those of every other caller: numbers and, at the same time, strings that look like them. What
 * it receives must be for one of its open calls and name it.
 */
async function newCaller(
  name: string,
  open: (receive: (message: Json) => void) => Promise<RawClient>,
): Promise<Caller> {
  const faults: string[] = []
  const byId = new Map<string | number, Expected>()
  const byToken = new Map<string | number, Expected>()
  let answered = 0
  const client = await open(receive)

  function receive(message: Json): void {
    if (message.method === 'notifications/progress') {
      receiveProgress(message.params)
      return
    }
    const expected = byId.get(message.id)
    if (expected === undefined) {
      fault('no such call is open', message)
      return
    }
    byId.delete(message.id)
    if (expected.token !== undefined) byToken.delete(expected.token)
    if (message.result?.content?.[0]?.text !== expected.words)
      fault(`not the answer to ${expected.words}`, message)
    if (message.result?.structuredContent?.words !== expected.words)
      fault('structured content differs', message)
    if (expected.progress !== expected.steps)
      fault(`${expected.progress} of ${expected.steps} steps seen`, message)
    answered++
    expected.done()
  }

  function receiveProgress(params: Json): void {
    const expected = byToken.get(params.progressToken)
    if (expected === undefined) {
      fault('no such token is open', params)
      return
    }
    if (params.message !== expected.words) fault(`not the progress of ${expected.words}`, params)
    if (params.progress !== ++expected.progress) fault('progress is out of order', params)
  }

  function fault(what: string, message: Json): void {
    faults.push(`${name}: ${what}: ${JSON.stringify(message)}`)
  }

  function call(sequence: number): Promise<void> {
    // 0, "0", 1, "1", ...: the same digits with two types are under way together.
    const digits = sequence >> 1
    const id = sequence % 2 === 0 ? digits : String(digits)
    const token = sequence % 3 === 0 ? undefined : sequence % 3 === 1 ? digits : String(digits)
    const words = `${name}:${sequence}`
    const steps = token === undefined ? 0 : sequence % 4
    return new Promise((resolve, reject) => {
      const expected = { words, token, steps, progress: 0, done: resolve }
      byId.set(id, expected)
      if (token !== undefined) byToken.set(token, expected)
      client
        .send({
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: {
            name: 'echo',
            arguments: { words, steps, delay: Math.floor(Math.random() * 6) },
            ...(token === undefined ? {} : { _meta: { progressToken: token } }),
          },
        })
        .catch(reject)
    })
  }

  return {
    faults,
    async run(calls) {
      let next = 0
      const lane = async (): Promise<void> => {
        while (next < calls) await call(next++)
      }
      await Promise.all(Array.from({ length: WIDTH }, lane))
      if (byId.size > 0) faults.push(`${name}: ${byId.size} calls without an answer`)
      return answered
    },
    close: () => client.close(),
  }
}

async function callAsSdk(peer: Peer, name: string, calls: number): Promise<number> {
  let next = 0
  let answered = 0
  const lane = async (): Promise<void> => {
    while (next < calls) {
      const words = `${name}:${next++}`
      const progress: Json[] = []
      const result = await peer.callTool(
        'echo',
        { words, steps: 2, delay: 1 },
        { onProgress: step => void progress.push([step.progress, step.message]) },
      )
      expect(result.structuredContent).toEqual({ words })
      expect(progress).toEqual([
        [1, words],
        [2, words],
      ])
      answered++
    }
  }
  await Promise.all(Array.from({ length: WIDTH }, lane))
  return answered
}

function connectPeers(anyport: Anyport): Promise<Peer[]> {
  const http = { kind: 'http', url: anyport.url } as const
  // One of them can be asked, so that it has an upstream of its own beside the shared one.
  return Promise.all([
    connectV1({ kind: 'sse', url: anyport.sseUrl }, { asked: false }),
    connectV1(http, { asked: true }),
    connectV2(http, 'legacy', { asked: false }),
    connectV2(http, 'modern', { asked: false }),
  ])
}

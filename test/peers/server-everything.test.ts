import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../fixtures/until.js'
import { everythingTranscript, normalise } from './everything-transcript.js'
import { connectV1, connectV2, type Json, type Peer, ROOTS } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const SERVER = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
)
const COMMAND = [process.execPath, SERVER, 'stdio']
const DIRECT = { kind: 'stdio', command: process.execPath, args: [SERVER, 'stdio'] } as const
const URI = 'demo://resource/dynamic/text/1'

const CLIENTS: readonly {
  readonly name: string
  readonly connect: (anyport: Anyport) => Promise<Peer>
  readonly direct: () => Promise<Peer>
  readonly modern?: true
}[] = [
  {
    name: 'SDK v1 over HTTP+SSE',
    connect: anyport => connectV1({ kind: 'sse', url: anyport.sseUrl }),
    direct: () => connectV1(DIRECT),
  },
  {
    name: 'SDK v1 over Streamable HTTP',
    connect: anyport => connectV1({ kind: 'http', url: anyport.url }),
    direct: () => connectV1(DIRECT),
  },
  {
    name: 'SDK v2, legacy, over Streamable HTTP',
    connect: anyport => connectV2({ kind: 'http', url: anyport.url }, 'legacy'),
    direct: () => connectV2(DIRECT, 'legacy'),
  },
  {
    name: 'SDK v2, modern, over Streamable HTTP',
    connect: anyport => connectV2({ kind: 'http', url: anyport.url }, 'modern'),
    // The server is legacy: what the same client sees of it in its legacy mode is what must survive the crossing.
    direct: () => connectV2(DIRECT, 'legacy'),
    modern: true,
  },
]

describe.each(CLIENTS)('server-everything to $name', ({ connect, direct, modern }) => {
  let anyport: Anyport
  let peer: Peer

  beforeAll(async () => {
    anyport = await startAnyport(COMMAND)
    peer = await connect(anyport)
  })

  afterAll(async () => {
    await peer?.close()
    await anyport?.stop()
  })

  test('the same as straight from the server on stdio', async () => {
    const straight = await direct()
    const expected = await everythingTranscript(straight)
    await straight.close()
    const actual = await everythingTranscript(peer)

    expect(peer.era).toBe(modern === true ? 'modern' : 'legacy')
    expect(actual.tools.tools.length).toBeGreaterThan(12)
    expect(actual.progress.map((step: Json) => step.progress)).toEqual([1, 2, 3, 4])
    expect(actual.questions.map((question: Json) => question.method)).toEqual([
      'sampling/createMessage',
      'elicitation/create',
    ])
    for (const { uri, name } of ROOTS)
      expect(JSON.stringify(actual.roots)).toContain(`${name}\\n   URI: ${uri}`)
    for (const key of Object.keys(expected)) {
      expect({ [key]: comparable(key, actual[key], modern) }).toEqual({
        [key]: comparable(key, expected[key], modern),
      })
    }
  })

  test('logs of a call arrive; in the modern era once they are asked for', async () => {
    peer.logs.length = 0
    if (modern) {
      await peer.callTool('toggle-simulated-logging')
      await peer.callTool('toggle-simulated-logging')
      expect(peer.logs).toEqual([])
    }
    await peer.logEverything()
    peer.logs.length = 0
    await peer.callTool('toggle-simulated-logging')
    await until(() => peer.logs.length > 0, 'a log message')
    expect(peer.logs[0]).toMatchObject({
      level: expect.any(String),
      data: expect.stringContaining('message'),
    })
    await peer.callTool('toggle-simulated-logging')
  })

  test('an update of a subscribed resource arrives', async () => {
    await peer.subscribe(URI)
    await peer.callTool('toggle-subscriber-updates')
    await until(() => peer.updates.includes(URI), 'an update of the resource')
    await peer.callTool('toggle-subscriber-updates')
  })

  test('a cancelled call ends at once, and leaves the connection free', async () => {
    const controller = new AbortController()
    const began = Date.now()
    const call = peer.callTool(
      'trigger-long-running-operation',
      { duration: 60, steps: 600 },
      { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) },
    )
    await expect(call).rejects.toThrow()
    expect(controller.signal.aborted).toBe(true)
    expect(await peer.callTool('echo', { message: 'still here' })).toMatchObject({
      content: [{ type: 'text', text: 'Echo: still here' }],
    })
    expect(Date.now() - began).toBeLessThan(5_000)
  })

  test('a tool that insists on a task is a plain call, its question included', async () => {
    peer.questions.length = 0
    const result = await peer.callTool('simulate-research-query', { topic: 'python', ambiguous: true })
    expect(result.content[0].text).toContain('# Research Report: python (the interpretation)')
    expect(result).not.toHaveProperty('task')
    expect(peer.questions.map(question => question.method)).toEqual(['elicitation/create'])
    expect(peer.questions[0]!.params.requestedSchema.properties.interpretation.oneOf).toHaveLength(3)
  })
})

/** Tasks are hidden by anyport, in capabilities and lists; the rest is what a modern result has and a legacy has not. */
function comparable(key: string, value: Json, modern: true | undefined): Json {
  const dropped = new Set(['execution'])
  if (key === 'capabilities') dropped.add('tasks')
  const modernOnly = ['ttlMs', 'cacheScope', 'resultType', 'io.modelcontextprotocol/serverInfo']
  if (modern) for (const field of modernOnly) dropped.add(field)
  return normalise(value, dropped)
}

import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectV1, connectV2, type Json, type Peer, ROOTS } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const EVERYTHING = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
)
const SDK_V2 = fileURLToPath(new URL('../fixtures/sdk-v2-server.mjs', import.meta.url))

describe('a modern SDK v2 client, a legacy server that asks', () => {
  let anyport: Anyport
  let peer: Peer
  let elicit: (params: Json) => Json = () => ({ action: 'cancel' })

  beforeAll(async () => {
    anyport = await startAnyport([process.execPath, EVERYTHING, 'stdio'])
    peer = await connectV2({ kind: 'http', url: anyport.url }, 'modern', { elicit: params => elicit(params) })
  })

  afterAll(async () => {
    await peer?.close()
    await anyport?.stop()
  })

  test('elicitation: accepted, declined, cancelled', async () => {
    expect(peer.era).toBe('modern')
    elicit = () => ({ action: 'accept', content: { name: 'Ann', integer: 7 } })
    const accepted = await peer.callTool('trigger-elicitation-request')
    expect(accepted.content[1].text).toContain('- Name: Ann')
    expect(accepted.content[1].text).toContain('- Favorite Integer: 7')
    elicit = () => ({ action: 'decline' })
    expect((await peer.callTool('trigger-elicitation-request')).content[0].text).toContain('User declined')
    elicit = () => ({ action: 'cancel' })
    expect((await peer.callTool('trigger-elicitation-request')).content[0].text).toContain('User cancelled')
    const asked = peer.questions.filter(question => question.method === 'elicitation/create')
    expect(asked).toHaveLength(3)
    expect(asked[0]!.params.requestedSchema.properties.titledSingleSelectEnum.oneOf).toHaveLength(3)
  })

  test('sampling', async () => {
    const result = await peer.callTool('trigger-sampling-request', { prompt: 'Tides?', maxTokens: 9 })
    expect(result.content[0].text).toContain('"model": "parrot"')
    expect(peer.questions.at(-1)).toMatchObject({
      method: 'sampling/createMessage',
      params: { maxTokens: 9 },
    })
    expect(JSON.stringify(peer.questions.at(-1)!.params)).toContain('context: Tides?')
  })

  test('questions of calls made at the same time reach their own call', async () => {
    const prompts = Array.from({ length: 6 }, (_, index) => `prompt number ${index}`)
    const results = await Promise.all(
      prompts.map(prompt => peer.callTool('trigger-sampling-request', { prompt, maxTokens: 9 })),
    )
    for (const [index, result] of results.entries()) expect(result.content[0].text).toContain(prompts[index])
  })
})

const LEGACY_WIRES = [
  { name: 'Streamable HTTP', connect: (anyport: Anyport) => connectV1({ kind: 'http', url: anyport.url }) },
  { name: 'HTTP+SSE', connect: (anyport: Anyport) => connectV1({ kind: 'sse', url: anyport.sseUrl }) },
]

describe.each(LEGACY_WIRES)(
  'a legacy SDK v1 client over $name, a modern-only SDK v2 server that asks',
  ({ connect }) => {
    let anyport: Anyport
    let peer: Peer

    beforeAll(async () => {
      anyport = await startAnyport([process.execPath, SDK_V2])
      peer = await connect(anyport)
    })

    afterAll(async () => {
      await peer?.close()
      await anyport?.stop()
    })

    test('an elicitation', async () => {
      const { tools } = await peer.listTools()
      expect(tools.map((tool: Json) => tool.name)).toEqual(['deploy', 'summarise', 'wipe', 'finished'])
      const result = await peer.callTool('deploy', { to: 'the moon' })
      expect(result.content[0].text).toBe('deployed to the moon: {"sure":"the sure"}')
      expect(peer.questions.at(-1)).toMatchObject({
        method: 'elicitation/create',
        params: { message: 'Deploy to the moon?', requestedSchema: { required: ['sure'] } },
      })
    })

    test('the model, the user and the roots at once', async () => {
      peer.questions.length = 0
      const result = await peer.callTool('summarise')
      const answers = JSON.parse(result.content[0].text)
      expect(answers.model.model).toBe('parrot')
      expect(answers.model.content.text).toContain('Summarise it')
      expect(answers.roots).toEqual(ROOTS)
      expect(answers.user.name).toBe('Ann')
      expect(peer.questions.map(question => question.method).sort()).toEqual([
        'elicitation/create',
        'roots/list',
        'sampling/createMessage',
      ])
    })

    test('two rounds, one after the other, and each tool came to its end once', async () => {
      peer.questions.length = 0
      const other = await connect(anyport)
      const result = await peer.callTool('wipe')
      expect(result.content[0].text).toBe('wiped the scope (the sure)')
      expect(peer.questions.map(question => question.params.message)).toEqual(['Really?', 'Which scope?'])
      expect(other.questions).toEqual([])
      await other.close()
      const finished = JSON.parse((await peer.callTool('finished')).content[0].text)
      expect(finished).toEqual({ deploy: 1, summarise: 1, wipe: 1 })
    })
  },
)

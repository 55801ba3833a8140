import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const SERVER = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-memory/dist/index.js', import.meta.url),
)

const CLIENTS = [
  { name: 'SDK v1', connect: (anyport: Anyport) => connectV1({ kind: 'http', url: anyport.url }) },
  {
    name: 'SDK v2, modern',
    connect: (anyport: Anyport) => connectV2({ kind: 'http', url: anyport.url }, 'modern'),
  },
]

describe.each(CLIENTS)('server-memory to $name', ({ connect }) => {
  let directory: string
  let anyport: Anyport
  let peer: Peer

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'anyport-memory-'))
    anyport = await startAnyport([process.execPath, SERVER], {
      options: ['--env', `MEMORY_FILE_PATH=${join(directory, 'memory.jsonl')}`],
    })
    peer = await connect(anyport)
  })

  afterAll(async () => {
    await peer?.close()
    await anyport?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  test('a graph is written, read, searched and kept', async () => {
    const entities = [
      { name: 'Ann', entityType: 'person', observations: ['builds bridges'] },
      { name: 'Lisbon', entityType: 'city', observations: ['has a famous bridge'] },
    ]
    const relation = { from: 'Ann', to: 'Lisbon', relationType: 'lives in' }
    await peer.listTools()
    expect((await peer.callTool('create_entities', { entities })).structuredContent).toEqual({ entities })
    await peer.callTool('create_relations', { relations: [relation] })
    await peer.callTool('add_observations', {
      observations: [{ entityName: 'Ann', contents: ['likes tea'] }],
    })

    const graph = (await peer.callTool('read_graph')).structuredContent as Json
    expect(graph.entities).toEqual([
      { ...entities[0], observations: ['builds bridges', 'likes tea'] },
      entities[1],
    ])
    expect(graph.relations).toEqual([relation])
    const found = (await peer.callTool('search_nodes', { query: 'tea' })).structuredContent as Json
    expect(found.entities.map((entity: Json) => entity.name)).toEqual(['Ann'])
    expect(await readFile(join(directory, 'memory.jsonl'), 'utf8')).toContain('likes tea')
  })

  test('two callers at once, of the same server', async () => {
    const other = await connect(anyport)
    const names = Array.from({ length: 20 }, (_, index) => `node-${index}`)
    for (const name of names) {
      const writer = name.endsWith('1') ? other : peer
      await writer.callTool('create_entities', { entities: [{ name, entityType: 'node', observations: [] }] })
    }
    const graph = (await other.callTool('read_graph')).structuredContent as Json
    expect(graph.entities.map((entity: Json) => entity.name)).toEqual(expect.arrayContaining(names))
    await other.close()
  })
})

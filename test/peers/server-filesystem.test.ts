import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectV1, connectV2, type Peer } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const SERVER = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js', import.meta.url),
)

// No roots: a client that offers them would replace the directory which the command names.
const CLIENTS = [
  {
    name: 'SDK v1',
    connect: (anyport: Anyport) => connectV1({ kind: 'http', url: anyport.url }, { asked: false }),
  },
  {
    name: 'SDK v2, modern',
    connect: (anyport: Anyport) => connectV2({ kind: 'http', url: anyport.url }, 'modern', { asked: false }),
  },
]

describe.each(CLIENTS)('server-filesystem to $name', ({ connect }) => {
  let directory: string
  let anyport: Anyport
  let peer: Peer

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'anyport-files-')))
    anyport = await startAnyport([process.execPath, SERVER, directory])
    peer = await connect(anyport)
    await peer.listTools()
  })

  afterAll(async () => {
    await peer?.close()
    await anyport?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  test('files are written, edited, listed, read and moved', async () => {
    const path = join(directory, 'words.txt')
    const words = `Grüße\n世界\n${'x'.repeat(200_000)}`
    await peer.callTool('write_file', { path, content: words })
    expect(await readFile(path, 'utf8')).toBe(words)

    await peer.callTool('edit_file', { path, edits: [{ oldText: '世界', newText: 'world' }] })
    const read = await peer.callTool('read_text_file', { path })
    expect(read.content[0].text).toBe(words.replace('世界', 'world'))
    expect(read.structuredContent).toEqual({ content: words.replace('世界', 'world') })

    await peer.callTool('create_directory', { path: join(directory, 'inner') })
    await peer.callTool('move_file', { source: path, destination: join(directory, 'inner', 'moved.txt') })
    const listed = await peer.callTool('list_directory', { path: join(directory, 'inner') })
    expect(listed.content[0].text).toBe('[FILE] moved.txt')
    expect(await readFile(join(directory, 'inner', 'moved.txt'), 'utf8')).toContain('world')
  })

  test('a binary file comes back byte for byte', async () => {
    const path = join(directory, 'dot.png')
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256))
    await writeFile(path, bytes)
    const media = await peer.callTool('read_media_file', { path })
    expect(media.content[0]).toMatchObject({ type: 'image', mimeType: 'image/png' })
    expect(Buffer.from(media.content[0].data, 'base64').equals(bytes)).toBe(true)
  })

  test('what the server refuses is its own refusal', async () => {
    const outside = await peer.callTool('read_text_file', { path: '/etc/passwd' })
    expect(outside.isError).toBe(true)
    expect(outside.content[0].text).toContain('outside allowed directories')
  })
})

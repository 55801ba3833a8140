import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { TransportError } from '../../../src/exchange/errors.js'
import { connectSocket, listenSocket, type SocketListener } from '../../../src/node/socket.js'
import type { ByteStream } from '../../../src/transport/channel/channel.js'
import { until } from '../../fixtures/until.js'

const open: SocketListener[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(listener => listener.close()))
})

const newPath = () => join(mkdtempSync(join(tmpdir(), 'anyport-')), 'server.sock')

function gather(stream: ByteStream) {
  let output = ''
  const closed = new Promise<Error | undefined>(resolve =>
    stream.listen({ data: chunk => (output += Buffer.from(chunk).toString()), closed: resolve }),
  )
  return { output: () => output, closed }
}

async function echoOn(address: Parameters<typeof listenSocket>[0]) {
  const streams: ByteStream[] = []
  const listener = await listenSocket(address, stream => {
    streams.push(stream)
    stream.listen({ data: chunk => void stream.write([chunk]), closed() {} })
  })
  open.push(listener)
  return { listener, streams }
}

describe.each([
  ['a Unix socket', () => ({ path: newPath() })],
  ['TCP', () => ({ host: '127.0.0.1', port: 0 })],
])('%s', (_, address) => {
  it('carries bytes both ways and tells both ends of the end', async () => {
    const { listener, streams } = await echoOn(address())
    const stream = await connectSocket(listener.address)
    const { output, closed } = gather(stream)
    stream.write(['one ', 'two'])
    await until(() => output() === 'one two', 'the echo')
    await stream.close()
    expect(await closed).toBeUndefined()
    expect(streams).toHaveLength(1)
  })

  it('says that the peer closed', async () => {
    const { listener, streams } = await echoOn(address())
    const stream = await connectSocket(listener.address)
    const { closed } = gather(stream)
    await until(() => streams.length === 1, 'the connection')
    await streams[0]?.close()
    const error = (await closed) as TransportError
    expect(error.code).toBe('ERR_CLOSED')
    expect(error.message).toBe(`${stream.name} closed the connection`)
  })

  it('is retryable when nobody listens', async () => {
    const { listener } = await echoOn(address())
    await listener.close()
    const error = (await connectSocket(listener.address).catch(error => error)) as TransportError
    expect(error).toMatchObject({ code: 'ERR_CONNECT', retryable: true })
  })

  it('refuses an address in use, naming the option', async () => {
    const { listener } = await echoOn(address())
    const error = await listenSocket(listener.address, () => {}).catch(error => error as TransportError)
    expect(error).toMatchObject({
      code: 'ERR_LISTEN',
      facts: { knob: 'path' in listener.address ? '--socket' : '--tcp' },
    })
  })
})

describe('a Unix socket file', () => {
  it('is for its owner alone, and goes with the listener', async () => {
    const path = newPath()
    const mask = process.umask()
    const { listener } = await echoOn({ path })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(process.umask()).toBe(mask)
    await listener.close()
    expect(existsSync(path)).toBe(false)
  })

  it('that a killed process left is replaced', async () => {
    const path = newPath()
    const dying = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    await once(dying, 'exit')
    expect(existsSync(path)).toBe(true)
    const { listener } = await echoOn({ path })
    await (await connectSocket(listener.address)).close()
  })

  it('is never removed when it is no socket', async () => {
    const path = newPath()
    writeFileSync(path, 'precious')
    await expect(listenSocket({ path }, () => {})).rejects.toThrow('exists and is no socket')
    expect(existsSync(path)).toBe(true)
  })

  it('with too long a path is refused clearly', async () => {
    const path = `/tmp/${'x'.repeat(120)}`
    await expect(listenSocket({ path }, () => {})).rejects.toThrow('125 bytes long; the system allows')
    await expect(connectSocket({ path })).rejects.toThrow('125 bytes long; the system allows')
  })
})

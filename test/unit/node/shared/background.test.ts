import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type Background,
  type BackgroundEvent,
  startBackground,
} from '../../../../src/node/shared/background.js'
import type { SharedEntry } from '../../../../src/node/shared/entry.js'
import { ask, greet } from '../../../../src/node/shared/greeting.js'
import { listBackgrounds, stopBackground } from '../../../../src/node/shared/list.js'
import { type Places, places } from '../../../../src/node/shared/places.js'
import { reachBackground } from '../../../../src/node/shared/reach.js'
import { until } from '../../../fixtures/until.js'

const running: Background[] = []
const folders: string[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map(background => background.stop(0)))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  folders.push(folder)
  return folder
}

/** What is not a pipe of Windows, but named like one: by a word that a file holds. */
const pipesIn = (folder: string) => (id: string) => join(folder, `pipe ${id}`)

/** Several processes in one: each has its own id. */
let pid = 1_000_000
const SYSTEMS = {
  linux: (folder: string): Places => places(folder, { platform: 'linux', pid: ++pid }),
  win32: (folder: string): Places => {
    // Windows has no rule that an abandoned pipe stays; here its file does.
    return places(folder, { platform: 'win32', pid: ++pid, pipe: pipesIn(folder) })
  },
}

async function start(
  at: Places,
  options: { version?: string; patience?: number; lookInterval?: number } = {},
) {
  const events: BackgroundEvent[] = []
  const { version = '1.0.0', ...rest } = options
  const background = await startBackground({
    places: at,
    version,
    settings: options => {
      if (options.wrong === true) throw new TypeError('wrong: not so')
      return { serve: {}, connect: {} }
    },
    onEvent: event => events.push(event),
    ...rest,
  })
  if (background !== undefined) running.push(background)
  return { background, events }
}

const entry: SharedEntry = {
  server: { command: 'cat', args: [], cwd: '/', env: {}, inherited: { PATH: '/usr/bin:/bin' } },
  options: {},
  linger: 0,
}

const never = () => Promise.reject(new Error('there is one'))

describe.each(Object.entries(SYSTEMS))('on %s', (_, placesIn) => {
  it('of many that start at once, one serves', async () => {
    for (let round = 0; round < 5; round++) {
      const folder = newFolder()
      const started = await Promise.all(Array.from({ length: 12 }, () => start(placesIn(folder))))
      const serving = started.filter(({ background }) => background !== undefined)
      expect(serving).toHaveLength(1)
      expect(placesIn(folder).list()).toHaveLength(1)
      const [one] = await listBackgrounds(placesIn(folder), '1.0.0')
      expect(one?.status).toMatchObject({ state: 'serving', socket: serving[0]?.background?.status().socket })
      await serving[0]?.background?.stop(0)
      expect(placesIn(folder).list()).toEqual([])
    }
  }, 30_000)

  it('what the dead left behind is in nobody’s way', async () => {
    const folder = newFolder()
    writeFileSync(join(folder, '3-4711.sock'), join(folder, 'nobody'))
    writeFileSync(join(folder, '2-4711.retired'), join(folder, 'nobody'))
    writeFileSync(join(folder, 'background.log'), '')
    const started = await Promise.all(Array.from({ length: 8 }, () => start(placesIn(folder))))
    expect(started.filter(({ background }) => background !== undefined)).toHaveLength(1)
    expect(readdirSync(folder).filter(name => name.includes('4711'))).toEqual([])
    expect(readdirSync(folder)).toContain('background.log')
  })

  it('a newer client retires it, an older one does not', async () => {
    const folder = newFolder()
    const old = await start(placesIn(folder), { version: '1.2.3' })
    const first = await reachBackground(entry, {
      places: placesIn(folder),
      version: '1.2.2',
      start: never,
      log: '',
    })
    const newer: Awaited<ReturnType<typeof start>>[] = []
    const reached = await reachBackground(entry, {
      places: placesIn(folder),
      version: '1.10.0',
      log: '',
      async start() {
        newer.push(await start(placesIn(folder), { version: '1.10.0' }))
      },
    })
    expect(newer).toHaveLength(1)
    expect(reached.version).toBe('1.10.0')
    expect(old.background?.status().state).toBe('retired')
    expect(old.events).toContainEqual({ type: 'retired', why: 'version 1.10.0 takes over' })
    const listed = await listBackgrounds(placesIn(folder), '1.0.0')
    expect(listed.map(({ status }) => [status?.version, status?.state])).toEqual([
      ['1.10.0', 'serving'],
      ['1.2.3', 'retired'],
    ])
    await first.stream.close()
    await old.background?.closed
    await reached.stream.close()
    await newer[0]?.background?.closed
    expect(placesIn(folder).list()).toEqual([])
  })

  it('can be stopped from outside', async () => {
    const folder = newFolder()
    const { background } = await start(placesIn(folder))
    const [one] = await listBackgrounds(placesIn(folder), '1.0.0')
    expect(await stopBackground(one as never, placesIn(folder), { version: '1.0.0', drainTimeout: 0 })).toBe(
      true,
    )
    await background?.closed
    expect(placesIn(folder).list()).toEqual([])
  })
})

describe('the end', () => {
  it('comes when nobody comes', async () => {
    const { background } = await start(SYSTEMS.linux(newFolder()), { patience: 50 })
    await background?.closed
  })

  it('comes with the last client, after its linger', async () => {
    const folder = newFolder()
    const { background, events } = await start(SYSTEMS.linux(folder))
    const reach = () =>
      reachBackground(
        { ...entry, linger: 1_500 },
        { places: SYSTEMS.linux(folder), version: '1.0.0', start: never, log: '' },
      )
    const [one, two] = [await reach(), await reach()]
    await one.stream.close()
    await two.stream.close()
    await until(() => events.some(event => event.type === 'left' && event.clients === 0), 'the leave')
    const three = await reach()
    expect(background?.status().servers).toMatchObject([{ clients: 1 }])
    await three.stream.close()
    await background?.closed
  })

  it('comes when nobody can find it any more', async () => {
    const folder = newFolder()
    const { background, events } = await start(SYSTEMS.linux(folder), { lookInterval: 20 })
    unlinkSync(background?.status().socket as string)
    await background?.closed
    expect(events).toContainEqual({ type: 'retired', why: 'its socket is not there any more' })
  })
})

describe('whoever speaks another language', () => {
  it('is closed', async () => {
    const folder = newFolder()
    const { background } = await start(SYSTEMS.linux(folder))
    for (const line of [
      'GET / HTTP/1.1\r\n',
      '{"anyport":2,"want":"status","version":"9"}\n',
      '{"anyport":1}\n',
    ]) {
      const socket = connect(background?.status().socket as string)
      socket.write(line)
      socket.resume()
      await once(socket, 'close')
    }
    expect(background?.status().servers).toEqual([])
  })

  it('is told why an entry cannot be served', async () => {
    const folder = newFolder()
    await start(SYSTEMS.linux(folder))
    const reach = (wrong: object) =>
      reachBackground(
        { ...entry, ...wrong },
        { places: SYSTEMS.linux(folder), version: '1.0.0', start: never, log: '' },
      )
    await expect(reach({ server: { ...entry.server, command: '' } })).rejects.toThrow(
      'command: expected the name',
    )
    await expect(reach({ linger: -1 })).rejects.toThrow('linger')
    await expect(reach({ options: { wrong: true } })).rejects.toThrow('wrong: not so')
    await expect(reach({ server: null })).rejects.toThrow(TypeError)
  })
})

it('a process that holds its place but never answers is named, not waited for', async () => {
  const folder = newFolder()
  const path = join(folder, '1-1.sock')
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => { console.log(1); process.kill(process.pid, 'SIGSTOP') })`
  const stopped = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(stopped.stdout, 'data')
    const [silent] = await listBackgrounds(SYSTEMS.linux(folder), '1.0.0')
    expect(silent).toMatchObject({ place: { pid: 1 }, status: undefined })
    expect((await start(SYSTEMS.linux(folder))).background).toBeUndefined()
  } finally {
    stopped.kill('SIGKILL')
    await once(stopped, 'exit')
  }
  expect((await start(SYSTEMS.linux(folder))).background).toBeDefined()
}, 20_000)

it('bytes follow the greeting as they are', async () => {
  const folder = newFolder()
  const { background } = await start(SYSTEMS.linux(folder))
  const socket = background?.status().socket as string
  const { reply, rest } = await greet(socket, { want: 'serve', version: '1.0.0', entry }, { timeout: 5_000 })
  expect(reply).toMatchObject({ ok: true, version: '1.0.0' })
  let text = ''
  rest.listen({ data: chunk => (text += Buffer.from(chunk).toString()), closed() {} })
  rest.write(['{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n'])
  await until(() => text.includes('\n'), 'the answer')
  expect(JSON.parse(text)).toMatchObject({ id: 1, error: { code: -32602 } })
  expect(await ask(socket, { want: 'status', version: '1.0.0' }, { timeout: 5_000 })).toMatchObject({
    status: { servers: [{ name: 'cat', clients: 1 }] },
  })
  await rest.close()
})

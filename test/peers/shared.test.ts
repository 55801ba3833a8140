/** One background anyport for the stdio clients of a machine (docs/sharing.md). */

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../fixtures/until.js'
import { type ClientOptions, type SharedClient, type Sharing, sharing } from './shared-client.js'
import { ANYPORT } from './start-anyport.js'

let shared: Sharing

beforeEach(() => {
  shared = sharing()
})

afterEach(() => shared.end())

const TWENTY = Array.from({ length: 20 }, (_, index) => index)

function twenty(options: (index: number) => ClientOptions): Promise<SharedClient[]> {
  return Promise.all(TWENTY.map(index => shared.client(options(index))))
}

const wordsOf = (response: { result?: { structuredContent?: { words: string } } }) =>
  response.result?.structuredContent?.words

const pidOf = async (client: SharedClient): Promise<number> =>
  (await client.call('echo', { words: 'pid' })).result.structuredContent.pid

describe('twenty clients', () => {
  test('one background, one server, each reply to whom it belongs; one is killed; the last one leaves', async () => {
    const clients = await twenty(index => ({
      options: ['--linger', '300ms'],
      era: index % 2 === 0 ? 'legacy' : 'modern',
    }))
    const [background, ...others] = await shared.ps()
    expect(others).toEqual([])
    expect(background.servers).toMatchObject([{ clients: 20, children: 1 }])
    expect(shared.servers()).toHaveLength(1)
    const pids = new Set(await Promise.all(clients.map(pidOf)))
    expect([...pids]).toEqual(shared.servers())

    // 2,000 calls under way at the same time, with the same ids at all clients; the one that will die has none to compare.
    const calls = clients.flatMap((client, index) =>
      Array.from({ length: 100 }, async (_, call) => {
        const words = `client ${index} call ${call}`
        const response = await client.call('echo', { words, delay: 1 + ((index * 7 + call * 13) % 60) })
        return { index, words, got: wordsOf(response) }
      }),
    )
    clients[7]?.process.kill('SIGKILL')
    const outcomes = await Promise.all(calls)
    expect(outcomes).toHaveLength(2_000)
    expect(outcomes.filter(({ index, words, got }) => index !== 7 && got !== words)).toEqual([])
    expect(outcomes.filter(({ words, got }) => got !== undefined && got !== words)).toEqual([])

    await expect.poll(async () => (await shared.ps())[0]?.servers[0]?.clients, { timeout: 15_000 }).toBe(19)
    expect(await Promise.all(clients.filter((_, index) => index !== 7).map(pidOf))).toEqual(
      Array(19).fill([...pids][0]),
    )
    for (const client of clients) await client.leave()
    await until(() => shared.servers().length === 0, 'the end of the server')
    await until(() => sockets().length === 0, 'the end of the background')
    expect(await shared.ps()).toEqual([])
  })

  test.each([
    ['legacy', 'legacy', 4],
    ['legacy', 'modern', 1],
    ['modern', 'modern', 1],
  ] as const)(
    'a question goes to the client whose call caused it: %s clients, %s server',
    async (era, serverEra, most) => {
      const clients = await twenty(index => ({ era, serverEra, elicit: message => `${message} by ${index}` }))
      await Promise.all(
        clients.map(async (client, index) => {
          const answers = await Promise.all(
            [1, 2, 3].map(call => client.call('ask', { who: `client ${index} call ${call}` })),
          )
          const whos = [1, 2, 3].map(call => `client ${index} call ${call}`)
          expect(answers.map(wordsOf)).toEqual(whos.map(who => `${who}: ${who} by ${index}`))
          expect(client.questions.toSorted()).toEqual(whos)
        }),
      )
      expect(shared.servers().length).toBeLessThanOrEqual(most)
    },
  )

  test('a server each where the sessions are isolated, which ends with its client', async () => {
    const clients = await twenty(() => ({ options: ['--isolation', 'session'] }))
    const pids = await Promise.all(clients.map(pidOf))
    expect(new Set(pids).size).toBe(20)
    expect((await shared.ps())[0].servers).toMatchObject([{ clients: 20, children: 20 }])
    await clients[0]?.leave()
    await until(() => !shared.servers().includes(pids[0] as number), 'the end of its server')
    expect(shared.servers()).toHaveLength(19)
  })
})

test('only the same share: not another environment, folder, argument or option', async () => {
  const file = join(dirname(shared.folder), '.env')
  writeFileSync(file, 'SECRET=planted-in-a-file\n')
  const options: ClientOptions[] = [
    {},
    { options: ['--env', 'SECRET=planted-one'] },
    { options: ['--env', 'SECRET=planted-two'] },
    { options: ['--env-file', file] },
    { options: ['--env', 'SECRET'], environment: { SECRET: 'planted-three' } },
    { options: ['--inherit-env'], environment: { SECRET: 'planted-four' } },
    { environment: { HTTPS_PROXY: 'http://proxy.example:3128' } },
    { cwd: tmpdir() },
    { options: ['--timeout', '3m'] },
    { serverEra: 'modern' },
  ]
  const first = await Promise.all(options.map(shared.client))
  const second = await Promise.all(
    // Which terminal a client was started from is no difference.
    options.map(one => shared.client({ ...one, environment: { ...one.environment, TERM: 'other' } })),
  )
  const facts = await Promise.all(
    [...first, ...second].map(
      async client => (await client.call('echo', { words: '' })).result.structuredContent,
    ),
  )
  const pids = facts.map(({ pid }) => pid)
  expect(new Set(pids).size).toBe(options.length)
  expect(pids.slice(options.length)).toEqual(pids.slice(0, options.length))
  expect(facts.slice(0, 6).map(({ secret }) => secret)).toEqual([
    '',
    'planted-one',
    'planted-two',
    'planted-in-a-file',
    'planted-three',
    'planted-four',
  ])
  expect(facts[7].cwd).toBe(tmpdir())

  const [{ pid }] = await shared.ps()
  const list = await shared.run('ps')
  const seen = [
    readFileSync(`/proc/${pid}/cmdline`),
    readFileSync(`/proc/${pid}/environ`),
    shared.log(),
    list.stdout,
  ]
  expect(seen.join('\n')).not.toMatch(/planted/)
})

describe('the background', () => {
  test('is no descendant of its first client, and survives its death', async () => {
    const first = await shared.client()
    const [{ pid }] = await shared.ps()
    const second = await shared.client()
    const descendants = spawnSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .stdout.split('\n')
      .map(line => line.trim().split(/\s+/).map(Number))
    expect(descendants.find(([own]) => own === pid)?.[1]).not.toBe(first.process.pid)
    first.process.kill('SIGKILL')
    await first.exited
    expect(wordsOf(await second.call('echo', { words: 'still here' }))).toBe('still here')
    expect((await shared.ps())[0].pid).toBe(pid)
  })

  test('that crashes ends its clients with a reason and its servers; the next clients, all at once, start one', async () => {
    const clients = await Promise.all([shared.client(), shared.client()])
    const [{ pid }] = await shared.ps()
    const [old] = shared.servers()
    const open = clients[0]?.call('echo', { words: 'never', delay: 60_000 })
    process.kill(pid, 'SIGKILL')
    expect(await Promise.all(clients.map(client => client.exited))).toEqual([1, 1])
    expect(clients[0]?.stderr()).toContain(`(process ${pid}) has ended`)
    expect(await open).toMatchObject({ ended: 1 })
    expect(sockets()).toHaveLength(1)

    const next = await twenty(() => ({}))
    expect(sockets()).toHaveLength(1)
    expect((await shared.ps()).map(({ servers }) => servers)).toMatchObject([[{ clients: 20, children: 1 }]])
    expect(new Set(await Promise.all(next.map(pidOf))).size).toBe(1)
    await until(() => !shared.servers().includes(old as number), 'the end of the old server')
  })

  test('is replaced by a newer version without a session lost', async () => {
    const newer = anyportOf('99.0.0')
    const before = await shared.client()
    const [{ pid }] = await shared.ps()
    const call = before.call('echo', { words: 'over the upgrade', delay: 3_000 })
    const [after, older] = [await shared.client({ anyport: newer }), await shared.client()]
    const listed = await shared.ps()
    expect(listed).toMatchObject([
      { version: '99.0.0', state: 'serving', servers: [{ clients: 2 }] },
      { pid, state: 'retired', servers: [{ clients: 1 }] },
    ])
    expect(await pidOf(after)).toBe(await pidOf(older))
    expect(await pidOf(before)).not.toBe(await pidOf(after))
    expect(wordsOf(await call)).toBe('over the upgrade')
    await before.leave()
    await until(() => !isAlive(pid), 'the end of the old background')
    expect((await shared.ps()).map(({ version }) => version)).toEqual(['99.0.0'])
    expect(wordsOf(await older.call('echo', { words: 'here' }))).toBe('here')
  })

  test('stops on request, after what is under way', async () => {
    const client = await shared.client()
    const call = client.call('echo', { words: 'the last one', delay: 5_000 })
    const [{ pid }] = await shared.ps()
    // The call is at its server.
    await expect.poll(async () => (await shared.ps())[0].servers[0].calls, { timeout: 5_000 }).toBe(1)
    expect(await shared.run('stop', '--drain-timeout', '20s')).toMatchObject({
      code: 0,
      stdout: `Stopped process ${pid}.\n`,
    })
    expect(wordsOf(await call)).toBe('the last one')
    expect(await client.exited).toBe(1)
    expect(shared.servers()).toEqual([])
    await until(() => !isAlive(pid), 'its end')
    expect(await shared.run('stop')).toMatchObject({ code: 0, stdout: 'No background anyport serves.\n' })
    expect((await shared.run('ps')).stdout).toBe('No background anyport runs.\n')
  })

  test('that is stopped by the system is named, with what to do', async () => {
    await shared.client()
    const [{ pid }] = await shared.ps()
    process.kill(pid, 'SIGSTOP')
    try {
      const client = shared.start()
      client.ready.catch(() => {})
      expect(await client.exited).toBe(1)
      expect(client.stderr()).toContain(`process ${pid}) does not answer`)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  })

  test('needs no log', async () => {
    mkdirSync(shared.folder, { mode: 0o700 })
    symlinkSync('/dev/full', join(shared.folder, 'background.log'))
    const client = await shared.client()
    expect(wordsOf(await client.call('echo', { words: 'all the same' }))).toBe('all the same')
  })

  test('takes over from nobody in a folder that others can enter', async () => {
    mkdirSync(shared.folder)
    chmodSync(shared.folder, 0o755)
    const client = shared.start()
    client.ready.catch(() => {})
    expect(await client.exited).toBe(1)
    expect(client.stderr()).toContain('others can enter it (mode 0755); make it yours alone with chmod 700')
    chmodSync(shared.folder, 0o700)
    await shared.client()
    expect(
      spawnSync('find', [shared.folder, '-perm', '/077', '!', '-type', 'l'], { encoding: 'utf8' }).stdout,
    ).toBe('')
  })
})

test('the table of anyport ps', async () => {
  await shared.client()
  const { stdout } = await shared.run('ps')
  expect(stdout).toMatch(/^process \d+, version \d+\.\d+\.\d+, serving, up \d+s, .*\.sock\n/)
  expect(stdout).toMatch(
    /\n {2}CLIENTS +CHILDREN +CALLS +UP +SERVER\n {2}1 +1 +0 +\d+s +\S*node .*sharing-server\.mjs/,
  )
})

test.each([
  [['--stdio', '--shared', '--port', '0', '--', 'x'], '--port does not go with --shared'],
  [['--shared', '--', 'x'], '--shared is for --stdio'],
  [['--stdio', '--linger', '1s', '--', 'x'], '--linger is for --shared'],
  [['--stdio', '--shared', 'socket:/x'], '--shared is for a command'],
])('wrong use is told: %s', async (argv, text) => {
  const { code, stderr } = await shared.run('serve', ...argv)
  expect(code).toBe(2)
  expect(stderr).toContain(text)
})

test('a command that does not exist is told to the client that asks for it', async () => {
  const { folder } = shared
  const client = shared.start({ options: ['--cwd', '/no/such/folder'] })
  await expect(client.ready).rejects.toThrow('/no/such/folder does not exist')
  client.process.kill()
  await client.exited
  expect(readdirSync(folder)).not.toContain('starting')
})

function sockets(): string[] {
  return readdirSync(shared.folder).filter(name => name.endsWith('.sock'))
}

function isAlive(pid: number): boolean {
  try {
    return !/^\S+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** The same program, as if it were of another version. */
function anyportOf(version: string): string {
  const copy = mkdtempSync(join(dirname(shared.folder), 'copy-'))
  const dist = dirname(ANYPORT)
  cpSync(dist, join(copy, 'dist', 'bin'), { recursive: true })
  const manifest = JSON.parse(readFileSync(join(dist, '..', '..', 'package.json'), 'utf8'))
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, version }))
  return join(copy, 'dist', 'bin', 'anyport.js')
}

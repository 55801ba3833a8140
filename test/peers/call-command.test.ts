import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { installedProgram } from '../fixtures/installed-program.js'
import { runAnyport, stopAll } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { markedProcesses } from '../unit/node/marked-processes.js'
import { type HttpServerProcess, startHttpServer, startSdkServer } from './sdk-http-servers.js'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const EVERYTHING = path('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const V2 = path('../fixtures/sdk-v2-server.mjs')
const CALLED = path('../fixtures/processes/called-server.mjs')
const LEGACY = path('../fixtures/everything-legacy.mjs')
const MODERN = path('../fixtures/everything-modern.mjs')

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'call-'))
})
afterEach(async () => {
  await stopAll()
  rmSync(folder, { recursive: true, force: true })
})

async function run(...argv: string[]) {
  const command = runAnyport(...argv)
  command.process.stdin.end()
  const code = await command.exited
  return { code, out: command.stdout(), err: command.stderr() }
}

const node = (...argv: string[]) => ['--', process.execPath, ...argv]
const called = (...argv: string[]) => run('call', ...argv, ...node(CALLED))

describe('anyport call', () => {
  test('gives arguments the types of the schema', async () => {
    const words = ['query=5', 'limit=5', 'exact=true', 'tags=a', 'tags=b', 'order=up', 'near.lat=52.5']
    expect(await called('given', ...words)).toEqual({
      code: 0,
      err: '',
      out: `${JSON.stringify({ query: '5', limit: 5, exact: true, tags: ['a', 'b'], order: 'up', near: { lat: 52.5 } }, undefined, 2)}\n`,
    })
  })

  test('takes arguments from a file and from stdin, with others on top', async () => {
    const file = join(folder, 'arguments.json')
    writeFileSync(file, '{"query":"from a file","limit":1}')
    const fromFile = await called('given', '--args', `@${file}`, 'limit=2', '--json')
    expect(JSON.parse(fromFile.out)).toMatchObject({ structuredContent: { query: 'from a file', limit: 2 } })
    const command = runAnyport('call', 'given', '--args', '-', ...node(CALLED))
    command.process.stdin.end('{"query":"from stdin"}')
    expect(await command.exited).toBe(0)
    expect(JSON.parse(command.stdout())).toEqual({ query: 'from stdin' })
  })

  test('refuses what does not fit before anything is called', async () => {
    const refused: readonly (readonly [string[], string])[] = [
      [['giver', 'query=x'], 'The server has no tool "giver"; did you mean given?'],
      [['given', 'qery=x'], 'There is no parameter qery; did you mean query?'],
      [
        ['given', 'query=x', 'limit=0'],
        'The arguments do not fit given. limit: expected at least 1. It takes: given(query: string, limit?: integer = 10',
      ],
      [['given', 'limit=1'], 'The arguments do not fit given. query: is missing. It takes: given('],
      [['--prompt', 'greet'], 'The server has no prompt "greet": it has no prompts'],
    ]
    const runs = await Promise.all(refused.map(([argv]) => called(...argv)))
    expect(runs).toEqual(
      refused.map(([, message]) => ({ code: 2, out: '', err: expect.stringContaining(message) })),
    )
  })

  test('sends what does not fit where it is told to', async () => {
    const { code, out } = await called('given', '--no-validate', 'qery=x', 'limit=many')
    expect([code, JSON.parse(out)]).toEqual([0, { qery: 'x', limit: 'many' }])
  })

  test('shows each kind of content, and saves what is no text', async () => {
    const files = join(folder, 'files')
    mkdirSync(files)
    writeFileSync(join(files, 'contents.png'), 'mine')
    const [shown, saved, prompt, resource] = await Promise.all([
      run('call', 'contents', ...node(LEGACY)),
      run('call', 'contents', '--output', files, ...node(MODERN)),
      run('call', '--prompt', 'greet', 'who=Jo', ...node(MODERN)),
      run('call', '--resource', 'test://resource/1', ...node(LEGACY)),
    ])
    const [image, audio] = ['[image/png, 3 bytes', '[audio/wav, 3 bytes']
    const hint = '; --output FOLDER saves it]'
    expect(shown.out).toBe(`one\n${image}${hint}\n${audio}${hint}\na: file:///a\nb\n`)
    expect(saved.out).toContain(`${image}: ${join(files, 'contents-2.png')}]`)
    expect(readdirSync(files).sort()).toEqual(['contents-2.png', 'contents.png', 'contents.wav'])
    expect(readFileSync(join(files, 'contents-2.png')).toString('base64')).toBe('AAAA')
    expect(readFileSync(join(files, 'contents.png'), 'utf8')).toBe('mine')
    expect(prompt.out).toBe(`user:\nGreet Jo\nassistant:\n${image}${hint}\n`)
    expect(resource.out).toContain('test://resource/1 (text/plain)\néén\n')
  })

  test('tells a failure of the tool from one of the server, and from one of the way there', async () => {
    const [soft, failed, died, none] = await Promise.all([
      run('call', 'soft', ...node(LEGACY)),
      run('call', 'fail', ...node(LEGACY)),
      called('die'),
      run('call', 'http://127.0.0.1:9/mcp', 'x'),
    ])
    expect(soft).toEqual({ code: 1, out: 'It went wrong\n', err: '' })
    expect(failed).toMatchObject({ code: 1, out: '', err: expect.stringContaining('answered with error') })
    expect(died).toMatchObject({ code: 2, out: '', err: expect.stringContaining('exited with code 3') })
    expect(died.err).toContain('  | allocating\n  | boom: out of memory\n')
    expect(none).toMatchObject({ code: 2, out: '', err: expect.stringContaining('nothing listens') })
  })

  test('shows progress and logs beside the result', async () => {
    const [progress, quiet, logs, noLogs] = await Promise.all([
      run('call', 'progress', ...node(MODERN)),
      run('call', 'progress', '--quiet', ...node(MODERN)),
      run('call', 'logs', '--logs', 'debug', ...node(LEGACY)),
      run('call', 'logs', '--logs', 'off', ...node(MODERN)),
    ])
    const steps = [1, 2, 3, 4, 5].map(step => `${step}/5 step ${step}\n`).join('')
    expect(progress).toEqual({ code: 0, out: '"done"\n', err: steps })
    expect(quiet.err).toBe('')
    expect(logs.err).toMatch(/^\[debug\] /m)
    expect(noLogs.err).toBe('')
  })

  test('SIGINT cancels the call, and leaves nothing behind', async () => {
    const notes = join(folder, 'notes')
    const command = runAnyport('call', 'wait', '--inherit-env', ...node(CALLED, notes))
    const noted = () => readFileSync(notes, { encoding: 'utf8', flag: 'a+' })
    await until(
      () => noted() === 'waiting\n',
      () => `${noted()} ${command.stderr()}`,
    )
    expect(markedProcesses(command.mark).length).toBeGreaterThan(1)
    command.process.kill('SIGINT')
    expect(await command.exited).toBe(130)
    expect(noted()).toBe('waiting\ncancelled\nclosed\n')
    await until(() => markedProcesses(command.mark).length === 0, 'nothing left')
  })
})

describe('a server that asks', () => {
  const asked = (...argv: string[]) => run('call', ...argv, ...node(V2))

  test('is answered beforehand, once for all rounds', async () => {
    const [one, two, declined] = await Promise.all([
      asked('deploy', 'to=prod', '--answer', 'sure=yes'),
      asked('wipe', '--answer', 'sure=ok', '--answer', 'scope=all'),
      asked('deploy', 'to=prod'),
    ])
    expect(one.out).toBe('deployed to prod: {"sure":"yes"}\n')
    expect(two.out).toBe('wiped all (ok)\n')
    // Where nobody is there it is declined, and the person told how to answer.
    expect(declined).toMatchObject({ code: 0, out: 'not deployed: decline\n' })
    expect(declined.err).toContain(
      'asks: Deploy to prod?\nDeclined: nobody is there to answer; --answer sure=... answers\n',
    )
  })

  test('hears of folders, and gets no model', async () => {
    const [roots, model] = await Promise.all([
      run('call', 'roots', '--root', folder, ...node(LEGACY)),
      asked('summarise', '--root', folder, '--answer', 'name=me'),
    ])
    expect(roots.out).toContain(`"uri": "file://${folder}"`)
    expect(model).toMatchObject({ code: 1, out: '', err: expect.stringContaining('(sampling)') })
  })

  describe.skipIf(installedProgram('script') === undefined)('on a terminal', () => {
    /** `script` of util-linux is one. Resolves once it has asked whether to answer. */
    async function asking() {
      const words = [process.execPath, path('../../dist/bin/anyport.js'), 'call', 'deploy', 'to=prod']
      const line = [...words, ...node(V2)].map(word => `'${word}'`).join(' ')
      const terminal = spawn('script', ['-qec', line, '/dev/null'], {
        env: { ...process.env, TERM: 'dumb' },
      })
      let seen = ''
      terminal.stdout.setEncoding('utf8').on('data', text => {
        seen += text
      })
      const ended = new Promise(resolve => terminal.once('exit', resolve))
      const shows = (pattern: RegExp) =>
        until(
          () => pattern.test(seen),
          () => seen,
        )
      await shows(/asks: Deploy to prod\?\r\nAnswer it\? \(.*\): $/)
      return { terminal, ended, shows, seen: () => seen }
    }

    test('is answered by who sits there', async () => {
      const { terminal, ended, shows, seen } = await asking()
      terminal.stdin.write('accept\r')
      await shows(/ {2}sure: $/)
      terminal.stdin.write('certainly\r')
      expect(await ended).toBe(0)
      expect(seen()).toContain('deployed to prod: {"sure":"certainly"}')
    })

    test('is left alone after ^C', async () => {
      const { terminal, ended, seen } = await asking()
      terminal.stdin.write('\u0003')
      expect(await ended).toBe(130)
      expect(seen()).not.toContain('deployed')
    })
  })
})

describe('servers at addresses', () => {
  let servers: HttpServerProcess[] = []
  beforeAll(async () => {
    const everything = (transport: string) => {
      const port = String(20_000 + Math.floor(Math.random() * 20_000))
      const url = `http://127.0.0.1:${port}/${transport === 'sse' ? 'sse' : 'mcp'}`
      const isUp = (line: string) => (/(listening|running) on port/i.test(line) ? url : undefined)
      return startHttpServer([EVERYTHING, transport], isUp, { PORT: port })
    }
    servers = await Promise.all([
      everything('streamableHttp'),
      everything('sse'),
      startSdkServer('v2-modern'),
    ])
  })
  afterAll(async () => {
    await Promise.all(servers.map(server => server.kill()))
  })

  test('are inspected and called, whatever they speak', async () => {
    const urls = servers.map(({ url }) => url)
    const [inspections, echoes] = await Promise.all([
      Promise.all(urls.map(url => run('inspect', '--json', url))),
      Promise.all(urls.slice(0, 2).map(url => run('call', url, 'echo', 'message=hello'))),
    ])
    expect(inspections.map(({ code, out }) => [code, JSON.parse(out)])).toMatchObject([
      [0, { era: 'legacy', transport: 'streamable-http', protocolVersions: ['2025-11-25'], target: urls[0] }],
      [0, { era: 'legacy', transport: 'sse', protocolVersions: ['2025-11-25'], prompts: [{}, {}, {}, {}] }],
      [0, { era: 'modern', transport: 'streamable-http', protocolVersions: ['2026-07-28'], problems: [] }],
    ])
    expect(echoes.map(({ code, out }) => [code, out])).toEqual([
      [0, 'Echo: hello\n'],
      [0, 'Echo: hello\n'],
    ])
  })
})

describe('anyport inspect', () => {
  test('shows what there is: pages, signatures, hints', async () => {
    const [whole, tools, json] = await Promise.all([
      run('inspect', ...node(MODERN)),
      run('inspect', '--tools', ...node(CALLED)),
      run('inspect', '--json', '--resources', ...node(MODERN)),
    ])
    expect(whole).toMatchObject({ code: 0, err: '' })
    expect(whole.out).toContain('everything 1.2.3 (Everything)\n  target     ')
    expect(whole.out).toContain('  transport  stdio, modern era\n  protocol   2026-07-28\n')
    expect(whole.out).toContain('Call what you like. Ünïcode 😀')
    // Of all its pages.
    expect(whole.out).toContain('  soft()\n      Does soft\n      [reads only]\n')
    expect(tools.out).toBe(
      'Tools (3)\n  given(query: string, limit?: integer = 10, exact?: boolean, tags?: string[],\n' +
        '      order?: "up" | "down", near?: { lat?: number, lon?: number })\n  wait()\n  die()\n',
    )
    expect(Object.keys(JSON.parse(json.out))).toEqual([
      ...['target', 'serverInfo', 'era', 'transport', 'protocolVersions', 'capabilities', 'instructions'],
      ...['resources', 'resourceTemplates', 'problems'],
    ])
  })

  test('takes the servers of a configuration: one of them, or all as one', async () => {
    const server = { command: process.execPath, args: [CALLED] }
    const broken = { command: `$\{NOWHERE_TO_BE_FOUND}` }
    const write = (file: string, servers: object) => {
      mkdirSync(join(folder, '.cursor'), { recursive: true })
      writeFileSync(join(folder, file), JSON.stringify({ mcpServers: servers }))
    }
    write('many.json', { one: server, two: server })
    write('.cursor/mcp.json', { one: server, broken })
    vi.stubEnv('HOME', folder)
    try {
      const many = join(folder, 'many.json')
      const [both, one, wrong, ofClient, ambiguous] = await Promise.all([
        run('inspect', '--json', '--config', many),
        run('call', '--config', many, '--server', 'one', 'given', 'query=x'),
        run('inspect', '--config', many, '--server', 'tow'),
        run('call', '--client', 'cursor', '--server', 'one', 'given', 'query=y'),
        run('call', '--config', many, 'given', 'query=x', '--', 'node'),
      ])
      const { tools, era } = JSON.parse(both.out)
      expect([era, tools.length]).toEqual([null, 6])
      expect(JSON.parse(one.out)).toEqual({ query: 'x' })
      expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('did you mean two?') })
      expect(ofClient).toMatchObject({ code: 0, out: expect.stringContaining('"y"') })
      expect(ambiguous).toMatchObject({
        code: 2,
        err: expect.stringContaining('Which server? There are the command behind -- and --config'),
      })
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

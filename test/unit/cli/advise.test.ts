// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { accessOf } from '../../../src/cli/access.js'
import { CHOICES, type Choice, decide } from '../../../src/cli/advice.js'
import { serverlessCode } from '../../../src/cli/advice-code.js'
import { adviceText, shellLine } from '../../../src/cli/advice-report.js'
import { advise, adviseCommand } from '../../../src/cli/advise.js'
import { ADVISE_OPTIONS } from '../../../src/cli/advise-options.js'
import { abilitiesOf } from '../../../src/cli/advise-situation.js'
import { parseArguments, UsageError } from '../../../src/cli/arguments.js'
import { CONFIG_OPTIONS } from '../../../src/cli/config-options.js'
import { serveOptions } from '../../../src/cli/serve.js'
import { SERVE_OPTIONS } from '../../../src/cli/serve-options.js'
import { bridgedServer } from '../../../src/config/bridge.js'
import { CLIENTS } from '../../../src/config/clients.js'
import { readConfig } from '../../../src/config/read-config.js'
import { literalText, type Template } from '../../../src/config/template.js'
import { newApiKey } from '../../../src/middleware/http/api-keys.js'
import { syntaxOf } from '../../../src/node/config/config-file.js'
import { createLog } from '../../../src/node/log.js'
import { allSituations, choiceByChart } from '../../fixtures/advice-chart.js'

const folder = mkdtempSync(join(tmpdir(), 'anyport-advise-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const log = createLog({ level: 'silent', format: 'text' })

const advised = async (...argv: string[]) => await advise(parseArguments(ADVISE_OPTIONS, argv))

beforeAll(async () => {
  const { record } = await newApiKey('alice')
  writeFileSync(join(folder, 'keys.json'), JSON.stringify({ version: 1, keys: [record] }), { mode: 0o600 })
})

describe('the decision', () => {
  it.each<[string, Choice]>([
    ['--runs local --users me', 'stdio'],
    ['--runs local --users team', 'stdio'],
    ['--runs local --users public --asks --state', 'stdio'],
    ['--runs local --users me --many-clients', 'shared-stdio'],
    ['--runs local --users me --client-speaks http', 'streamable-http'],
    ['--runs local --users me --client-speaks sse', 'http-sse'],
    ['--runs local --users me --client-speaks http,sse --many-clients', 'streamable-http'],
    ['--runs remote --users me', 'streamable-http'],
    ['--runs remote --users team --client claude-desktop', 'streamable-http'],
    ['--runs remote --users public --state', 'streamable-http'],
    ['--runs remote --users team --client-speaks sse', 'http-sse'],
    ['--runs remote --users team --replicas 3', 'stateless-http'],
    ['--runs remote --users team --replicas 3 --state', 'streamable-http'],
    ['--runs remote --users team --replicas 3 --client-speaks sse', 'stateless-http'],
    ['--runs serverless --users public', 'stateless-http'],
    ['--runs serverless --users me --state --server-is sdk', 'stateless-http'],
    ['https://a.example/mcp', 'streamable-http'],
    ['https://a.example/sse', 'http-sse'],
    ['--client codex https://a.example/sse', 'stdio'],
    ['--client claude-desktop https://a.example/mcp', 'stdio'],
    ['--client claude-desktop --many-clients https://a.example/mcp', 'shared-stdio'],
    ['--client cursor --many-clients https://a.example/mcp', 'streamable-http'],
    ['--client-speaks sse https://a.example/mcp', 'streamable-http'],
  ])('%s: %s', async (line, choice) => {
    const { decision } = await advised(...line.split(' '))
    expect(decision.choice).toBe(choice)
  })

  it('of every situation has reasons, and some against each of the others', () => {
    for (const situation of allSituations()) {
      const { choice, reasons, against } = decide(situation)
      const about = JSON.stringify(situation)
      expect(reasons.length, about).toBeGreaterThan(0)
      expect([choice, ...against.map(other => other.choice)].sort(), about).toEqual([...CHOICES].sort())
      for (const other of against) expect(other.reasons.length, `${about} ${other.choice}`).toBeGreaterThan(0)
    }
  })

  it('is the one of the chart in docs/transports.md', () => {
    const met = new Map<Choice, number>()
    for (const situation of allSituations()) {
      const { choice } = decide(situation)
      expect(choiceByChart(situation), JSON.stringify(situation)).toBe(choice)
      met.set(choice, (met.get(choice) ?? 0) + 1)
    }
    expect([...met.keys()].sort()).toEqual([...CHOICES].sort())
  })
})

describe('what is to be written', () => {
  const ids = [...CLIENTS.map(({ id }) => id).filter(id => id !== 'anyport'), 'other']
  const lines = [
    ...['--runs local', '--runs local --many-clients --state', '--runs local --server-is sdk'],
    ...['--runs remote', '--runs remote --replicas 3 --asks', '--runs remote --replicas 3 --state'],
    '--runs remote --https anyport --state --streams',
    '--runs remote --issuer https://login.example.org',
    ...['--runs serverless --asks', '--runs serverless --server-is sdk --asks --streams'],
    '--runs serverless --server-is sdk --platform lambda',
  ].flatMap(line => ['me', 'team', 'public'].map(users => `${line} --users ${users}`))
  const all = [
    ...lines,
    ...['http', 'sse', 'stdio'].flatMap(speaks => lines.map(line => `${line} --client-speaks ${speaks}`)),
    ...['https://a.example/mcp', 'https://a.example/sse', '--many-clients https://a.example/sse'],
  ]

  it.each(ids)('for %s is read again by our own reader, and leads to what was advised', async id => {
    for (const line of all) {
      if (line.includes('--client-speaks') && id !== 'other') continue
      const words = line.split(' ')
      const command = words.includes('--server-is') || words.some(word => word.startsWith('https:'))
      const advice = await advised(
        '--client',
        id,
        ...words,
        ...(command && !words.includes('--issuer') ? [] : ['--', 'npx', '-y', 'some-server']),
      )
      const { setup, entry } = advice
      expect(entry.text, `${id} ${line}`).not.toBe('')
      const syntax = await syntaxOf('', entry.client.syntax)
      const read = readConfig({ file: 'f', text: entry.text, syntax }, { client: entry.client })
      expect(read.problems, `${id} ${line}`).toEqual([])
      const [found] = read.servers
      const [, , , name, ...rest] = setup.add
      expect(found?.name).toBe(name)
      const { positionals, rest: program } = parseArguments(CONFIG_OPTIONS, setup.add.slice(2))
      expect(rest.length).toBeGreaterThan(0)
      const server = found?.server
      if (program === undefined || bridged(program) !== undefined) {
        const address = program === undefined ? positionals[2] : bridged(program)
        const remote = server?.kind === 'stdio' ? bridgedServer(server) : server
        // What anyport does for all of them is not read back as one server's address.
        if (remote?.kind === 'remote') expect(literalText(remote.url), `${id} ${line}`).toBe(address)
        else expect(program, `${id} ${line}`).toContain('connect')
      } else {
        expect(server?.kind, `${id} ${line}`).toBe('stdio')
        if (server?.kind === 'stdio') expect([server.command, ...server.args].map(literal)).toEqual(program)
      }
    }
  })

  it('starts with options that the command takes, and never lets other machines in without asking who they are', async () => {
    let started = 0
    for (const line of all) {
      const command = line.includes('--server-is') || line.includes('https://a.')
      const { setup, situation } = await advised(
        ...line.split(' '),
        ...(command ? [] : ['--', 'npx', '-y', 'some-server']),
      )
      for (const { command: words, code } of setup.steps) {
        if (code !== undefined) expect(situation.runs).toBe('serverless')
        if (words?.[1] !== 'serve') continue
        started++
        const parsed = parseArguments(
          SERVE_OPTIONS,
          words
            .slice(2)
            .map((word, index, list) => (list[index - 1] === '--keys' ? join(folder, 'keys.json') : word)),
        )
        expect(() => serveOptions(parsed)).not.toThrow()
        const { options } = parsed
        const own = options['tls-cert'] === undefined
        // There is no certificate here.
        const access = await accessOf(
          own ? options : { ...options, 'tls-cert': undefined, 'tls-key': undefined, tls: 'self-signed' },
          log,
        )
        const isPublic = options.host !== '127.0.0.1' || options['public-url'] !== undefined
        expect(access.options.authentication !== undefined, line).toBe(isPublic)
        access.close()
      }
    }
    expect(started).toBeGreaterThan(50)
  })

  it('says what stands for something that was not given', async () => {
    const notesOf = async (line: string) => (await advised(...line.split(' '))).setup.notes.join('\n')
    const example = 'npx -y some-server stands for the command'
    expect(await notesOf('--runs local')).toContain(example)
    expect(await notesOf('--runs remote')).toContain(example)
    expect(await notesOf('--runs remote')).toContain('https://mcp.example.com stands for your own address')
    expect(await notesOf('--runs local -- npx -y some-server')).not.toContain(example)
    expect(await notesOf('--runs serverless --server-is sdk')).not.toContain('stands for the command')
    expect(await notesOf('https://a.example/mcp')).toBe('')
  })

  it('is a line of the shell, and a text for people', async () => {
    expect(shellLine(['a', 'b c', `it's`, '${X}', ''])).toBe(`a 'b c' 'it'\\''s' '\${X}' ''`)
    const advice = await advised(
      ...'--runs remote --users team --client zed -- npx -y some-server'.split(' '),
    )
    const text = adviceText(advice)
    expect(text).toContain('--public-url https://mcp.example.com --trust-proxy 127.0.0.1 --keys default')
    expect(text).toContain(`--header 'Authorization: Bearer \${SOME_KEY}'`)
    expect(text).toContain('What speaks against the others')
  })

  const literal = (template: Template) => literalText(template)
  const bridged = (words: readonly string[]) => {
    const index = words.indexOf('connect')
    return index < 0 ? undefined : words.slice(index).find(word => word.startsWith('http'))
  }
})

describe('the program for a platform without commands', () => {
  it.each([
    { platform: 'fetch', streams: false, stateKey: true, issuer: undefined },
    { platform: 'fetch', streams: true, stateKey: false, issuer: 'https://login.example.org' },
    { platform: 'lambda', streams: false, stateKey: false, issuer: undefined },
  ] as const)('runs, and asks who calls: $platform, $issuer', async choice => {
    const { key, record } = await newApiKey('alice')
    vi.stubEnv('ANYPORT_KEYS', JSON.stringify({ version: 1, keys: [record] }))
    vi.stubEnv('ANYPORT_STATE_KEY', 'a secret of some length')
    vi.stubEnv('AUTH_CLIENT_ID', 'us')
    vi.stubEnv('AUTH_CLIENT_SECRET', 'secret')
    const loaded = await loadCode(serverlessCode({ ...choice, publicUrl: 'https://mcp.example.com' }))
    vi.unstubAllEnvs()
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
    })
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    const call = async (authorization: Readonly<Record<string, string>>) => {
      const all = { ...headers, ...authorization }
      if (choice.platform === 'fetch') {
        const request = new Request('https://mcp.example.com/mcp', { method: 'POST', headers: all, body })
        return (await loaded.default.fetch(request)).status
      }
      const event = {
        version: '2.0',
        rawPath: '/mcp',
        rawQueryString: '',
        headers: { ...all, host: 'mcp.example.com' },
        requestContext: { http: { method: 'POST', path: '/mcp' }, domainName: 'mcp.example.com' },
        body,
        isBase64Encoded: false,
      }
      return (await loaded.handler(event)).statusCode
    }
    expect(await call({})).toBe(401)
    if (choice.issuer === undefined) expect(await call({ authorization: `Bearer ${key}` })).toBe(200)
  })

  async function loadCode(code: string) {
    const outfile = join(folder, `code-${Math.random()}.mjs`)
    const source = (name: string) => fileURLToPath(new URL(`../../../src/${name}.ts`, import.meta.url))
    await build({
      stdin: {
        contents: code,
        resolveDir: fileURLToPath(new URL('../../..', import.meta.url)),
        loader: 'js',
      },
      alias: { 'anyport/fetch': source('fetch'), 'anyport/lambda': source('lambda') },
      bundle: true,
      platform: 'node',
      format: 'esm',
      // Packages that are CommonJS ask for built-in modules.
      banner: {
        js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`,
      },
      outfile,
      logLevel: 'silent',
    })
    return await import(outfile)
  }
})

describe('the command', () => {
  const output = { out: '', err: '' }
  const run = async (argv: readonly string[], ask?: Parameters<typeof adviseCommand>[1]) => {
    output.out = ''
    output.err = ''
    const out = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
      output.out += text
      return true
    })
    const err = vi.spyOn(process.stderr, 'write').mockImplementation(text => {
      output.err += text
      return true
    })
    try {
      return await adviseCommand(argv, ask)
    } finally {
      out.mockRestore()
      err.mockRestore()
    }
  }

  it('prints its usage where nothing is given and nobody is there', async () => {
    expect(await run([])).toBe(2)
    expect(output.err).toContain('Usage: anyport advise')
    expect(output.out).toBe('')
  })

  it('asks for what is not given, and again where an answer fits nothing', async () => {
    const asked: string[] = []
    const answers = ['c', 'npx -y some-server', 'remote', 'nobody', 'team', '', 'yes', 'many', '2', 'cursor']
    expect(
      await run(['--streams'], async ({ description, fallback }) => {
        asked.push(description)
        const answer = answers.shift()
        return answer === '' ? fallback : answer
      }),
    ).toBe(0)
    expect(answers).toEqual([])
    expect(asked.filter(question => question.includes('report'))).toEqual([])
    expect(asked.filter(question => question === 'Who uses it?')).toHaveLength(2)
    expect(output.out).toMatch(/^Streamable HTTP\n/)
    expect(output.out).toContain('--isolation session -- npx -y some-server')
  })

  it('gives up where nobody answers', async () => {
    await expect(run(['--runs', 'local'], async () => undefined)).rejects.toThrow(UsageError)
    await expect(run(['--runs', 'local'], async () => 'what?')).rejects.toThrow(
      'No answer to: What is the server',
    )
  })

  it('prints JSON for programs', async () => {
    expect(await run('--runs local --users me --client cursor --json -- npx -y some-server'.split(' '))).toBe(
      0,
    )
    const told = JSON.parse(output.out)
    expect(told.transport).toBe('stdio')
    expect(JSON.parse(told.client.text)).toEqual({
      mcpServers: { some: { command: 'npx', args: ['-y', 'some-server'] } },
    })
    expect(told.client.add).toEqual(
      'anyport config add some --client cursor -- npx -y some-server'.split(' '),
    )
  })

  it.each([
    ['--replicas 2 --runs local', '--replicas is for --runs remote'],
    ['--platform lambda', '--platform is for --runs serverless'],
    ['--client cursr', 'did you mean cursor?'],
    ['--client cursor --client-speaks sse', 'what Cursor can do is known'],
    ['--client-speaks http,pigeon', 'none of stdio, http, sse'],
    ['--server-is url', 'needs the address'],
    ['npx', 'put -- before a command'],
    ['https://a.example/mcp https://b.example/mcp', 'Give one address'],
    ['--public-url ftp://x', 'no address such as'],
    ['--runs local --', 'no command behind --'],
  ])('refuses %s', async (line, message) => {
    await expect(run(line.split(' '))).rejects.toThrow(message)
  })
})

it('what clients can do is what their formats have words for', () => {
  const of = (id: string) => abilitiesOf(CLIENTS.find(client => client.id === id)!)
  expect(of('claude-desktop')).toEqual(['stdio'])
  expect(of('codex')).toEqual(['stdio', 'http'])
  expect(of('cursor')).toEqual(['stdio', 'http', 'sse'])
})

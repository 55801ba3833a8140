/** `anyport login`, `logout` and `whoami` as processes, with a browser that agrees, against authorization servers. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { authorizationFixture, type Fixture, type FixtureOptions } from '../fixtures/authorization-server.js'
import { freePorts } from '../fixtures/free-ports.mjs'
import { oidcFixture } from '../fixtures/oidc-server.js'

const MAIN = fileURLToPath(new URL('../../dist/bin/anyport.js', import.meta.url))
const BROWSER = fileURLToPath(new URL('../fixtures/browser.mjs', import.meta.url))

let folder: string
let log: string
const closing: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  log = join(folder, 'browser.log')
  writeFileSync(log, '')
})

afterEach(async () => {
  await Promise.all(closing.splice(0).map(close => close()))
})

async function start(options: FixtureOptions = {}): Promise<Fixture> {
  const fixture = await authorizationFixture(options)
  closing.push(() => fixture.close())
  return fixture
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `onStderr` sees what has been written so far. */
function anyport(
  argv: readonly string[],
  {
    env = {},
    onStderr,
  }: { readonly env?: Record<string, string>; readonly onStderr?: (text: string) => void } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: {
      ...process.env,
      XDG_STATE_HOME: folder,
      BROWSER: `${process.execPath} ${BROWSER} ${log}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  closing.push(() => child.kill())
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
    onStderr?.(stderr)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
}

describe('a sign-in', () => {
  it('is made, shown and ended', async () => {
    const claims = Buffer.from(JSON.stringify({ sub: '1', email: 'ada@example.com' })).toString('base64url')
    const {
      url,
      issuer,
      log: seen,
    } = await start({ challengedScopes: ['read'], identityToken: `x.${claims}.x` })
    expect(await anyport(['whoami', url.href])).toMatchObject({ code: 1, stdout: '' })
    expect(await anyport(['login', url.href])).toMatchObject({
      code: 0,
      stdout: `Signed in to ${url.href} at ${issuer} as ada@example.com\n`,
    })
    const whoami = await anyport(['whoami', '--json', url.href])
    const [view] = JSON.parse(whoami.stdout)
    expect(view).toMatchObject({
      server: url.href,
      issuer,
      account: 'ada@example.com',
      scopes: ['read'],
      renewable: true,
    })
    if (process.platform !== 'win32') expect(statSync(view.file).mode & 0o777).toBe(0o600)
    const { tokens } = JSON.parse(readFileSync(view.file, 'utf8')).issuers[issuer]
    const everything = await anyport(['whoami'])
    expect(everything.stdout).toContain('ada@example.com')
    for (const { stdout, stderr } of [whoami, everything]) {
      expect(stdout + stderr).not.toContain(tokens.accessToken)
      expect(stdout + stderr).not.toContain(tokens.refreshToken)
    }
    expect(await anyport(['logout', url.href])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('revoked there'),
    })
    expect(seen.revoked).toEqual([tokens.refreshToken, tokens.accessToken])
    expect(() => statSync(view.file)).toThrow('ENOENT')
    expect(await anyport(['logout', url.href])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no sign-in'),
    })
  })

  it('uses the redirect address exactly as it is registered', async () => {
    const [port] = await freePorts(1)
    const { url, log: seen } = await start({ clients: { mine: 'its-secret' } })
    const argv = [
      ...['login', '--client-id', 'mine', '--callback-port', String(port), '--callback-host', 'localhost'],
      ...['--callback-path', '/oauth/callback', url.href],
    ]
    expect(await anyport(argv, { env: { ANYPORT_CLIENT_SECRET: 'its-secret' } })).toMatchObject({ code: 0 })
    const redirect = `http://localhost:${port}/oauth/callback`
    expect(seen.registrations).toEqual([])
    expect(seen.authorizations.map(asked => asked.get('redirect_uri'))).toEqual([redirect])
    expect(seen.tokenRequests.map(({ body }) => body.get('redirect_uri'))).toEqual([redirect])
  })

  it('registers once, and uses the same address again', async () => {
    const { url, log: seen } = await start()
    await anyport(['login', url.href])
    await anyport(['login', url.href])
    expect(seen.registrations).toHaveLength(1)
    const [first, second] = seen.authorizations.map(asked => asked.get('redirect_uri'))
    expect(second).toBe(first)
  })

  it('without a browser prints the address, and takes the answer of one elsewhere', async () => {
    const { url } = await start()
    let visited: Promise<unknown> | undefined
    const outcome = await anyport(['login', '--no-browser', url.href], {
      onStderr(text) {
        const [address] = /http:\S+\/authorize\?\S+(?=\s)/.exec(text) ?? []
        if (address !== undefined) visited ??= fetch(address)
      },
    })
    await visited
    expect(outcome).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`To sign in to ${url.href}, open:`),
    })
    expect(readFileSync(log, 'utf8')).toBe('')
  })

  it('is not wanted by every server', async () => {
    const server = await start({ resourceMetadata: 'none' })
    const { code, stdout } = await anyport(['login', new URL('/other', server.url).href])
    // It answers 404 there, and says nothing about a sign-in.
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })
})

describe('what goes wrong', () => {
  it('a taken port: named, with its option', async () => {
    const { url } = await start()
    const other = createServer()
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    closing.push(() => other.close())
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await anyport(['login', '--callback-port', String(port), url.href])
    expect(code).toBe(1)
    expect(stderr).toContain(`port ${port}: another program uses that port`)
    expect(stderr).toContain('--callback-port')
  })

  it('a wrong issuer in the answer: nothing is sent to the token endpoint', async () => {
    const { url, log: seen } = await start({
      answer: parameters => parameters.set('iss', 'https://evil.example'),
    })
    const { code, stderr } = await anyport(['login', url.href])
    expect(code).toBe(1)
    expect(stderr).toContain('is not used')
    expect(stderr).not.toContain('evil.example')
    expect(seen.tokenRequests).toEqual([])
    expect(await anyport(['whoami', url.href])).toMatchObject({ code: 1 })
  })

  it('nobody signs in: it ends', async () => {
    const { url } = await start()
    const { code, stderr } = await anyport(['login', '--no-browser', '--sign-in-timeout', '500ms', url.href])
    expect(code).toBe(1)
    expect(stderr).toContain('Nobody signed in')
  })

  it.each([
    [['login'], 'needs the address'],
    [['login', 'ftp://x.example'], 'no address of a remote server'],
    [['login', '--client-secret', 'planted', 'https://x.example'], '--client-id'],
    [['login', '--client-id', 'x', '--client-key', 'missing.pem', 'https://x.example'], 'ENOENT'],
    [['logout'], 'needs the address'],
  ])('wrong use: %j', async (argv, message) => {
    const { code, stderr } = await anyport(argv)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('planted')
  })
})

describe('oidc-provider', () => {
  it('signs in, renews by rotation, and revokes', async () => {
    const server = await oidcFixture({ lifetime: 2 })
    closing.push(() => server.close())
    const { code, stdout, stderr } = await anyport(['login', server.url.href])
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(server.issuer)
    const { errors, calls } = await callFor(server.url, 5_000)
    expect(errors).toEqual([])
    expect(calls).toBeGreaterThan(20)
    expect(server.events.filter(name => name === 'refresh_token.consumed').length).toBeGreaterThan(1)
    expect(server.events.filter(name => name === 'grant.error' || name === 'grant.revoked')).toEqual([])
    expect(await anyport(['logout', server.url.href])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('revoked there'),
    })
  })

  it('signs in a client that needs no person', async () => {
    const client = { client_id: 'robot', client_secret: 'robot-secret', grant_types: ['client_credentials'] }
    const server = await oidcFixture({
      registration: false,
      clients: [{ ...client, redirect_uris: [], response_types: [], scope: 'read write' }],
    })
    closing.push(() => server.close())
    const argv = ['login', '--client-id', 'robot', '--grant', 'client-credentials', server.url.href]
    const { code, stderr } = await anyport(argv, { env: { ANYPORT_CLIENT_SECRET: 'robot-secret' } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { errors } = await callFor(server.url, 3_000)
    expect(errors).toEqual([])
    expect(readFileSync(log, 'utf8')).toBe('')
  })

  async function callFor(url: URL, milliseconds: number) {
    const caller = fileURLToPath(new URL('../fixtures/signed-caller.mjs', import.meta.url))
    const sign = join(folder, 'anyport', 'sign-ins')
    const child = spawn(process.execPath, [caller, url.href, sign, String(milliseconds)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    for await (const text of child.stdout.setEncoding('utf8')) stdout += text
    return JSON.parse(stdout) as { readonly calls: number; readonly errors: readonly string[] }
  }
})

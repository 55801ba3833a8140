import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { httpFront } from '../fixtures/http-front.js'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { ANYPORT, startAnyport } from './start-anyport.js'

const ECHO = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]
const folder = mkdtempSync(join(tmpdir(), 'anyport-keys-command-'))
const file = join(folder, 'keys.json')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function keys(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [ANYPORT, 'keys', ...argv, '--file', file], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const list = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/list',
      params: {
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  })

describe('anyport keys', () => {
  it('makes keys that open a server for other machines, until they are revoked', async () => {
    const created = keys('create', 'alice', '--scope', 'read')
    expect(created.status).toBe(0)
    const key = created.stdout.trim()
    expect(key).toMatch(/^anyport_/)
    const server = await startAnyport(ECHO, { options: ['--host', '0.0.0.0', '--keys', file] })
    const url = server.url.replace('0.0.0.0', '127.0.0.1')
    expect((await list(url)).status).toBe(401)
    expect((await list(url, { 'x-api-key': key })).status).toBe(200)
    expect((await list(url, { authorization: `Bearer ${key}` })).status).toBe(200)

    const later = keys('create', 'bob', '--json')
    const { key: other, name } = JSON.parse(later.stdout)
    expect(name).toBe('bob')
    await server.line(entry => entry.event === 'keys_changed' && entry.keys === 2)
    expect((await list(url, { 'x-api-key': other })).status).toBe(200)
    expect(keys('list').stdout).toMatch(/alice .*never +read\n.* bob /)
    expect(keys('revoke', 'alice').stdout).toMatch(/^Revoked [0-9a-f]{12} of alice\n$/)
    await server.line(entry => entry.event === 'keys_changed' && entry.keys === 1)
    expect((await list(url, { 'x-api-key': key })).status).toBe(401)
    expect((await list(url, { 'x-api-key': other })).status).toBe(200)
    expect(keys('revoke', 'alice')).toMatchObject({ status: 1, stdout: '' })

    const said = JSON.stringify(server.log) + readFileSync(file, 'utf8') + keys('list', '--json').stdout
    for (const secret of [key, other]) expect(said).not.toContain(secret.split('_')[2])
    await server.stop()
  })

  it('wrong words are told', () => {
    for (const argv of [
      [],
      ['make'],
      ['create'],
      ['create', 'a b'],
      ['create', 'a', 'b'],
      ['list', 'x'],
      ['revoke'],
      ['list', '--scope', 'x'],
    ])
      expect([argv, keys(...argv).status]).toEqual([argv, 2])
  })
})

describe('anyport serve', () => {
  it('does not hand on to a remote server what let its client in', async () => {
    const key = keys('create', 'carol').stdout.trim()
    const remote = await startAnyport(ECHO)
    const front = await httpFront(new URL(remote.url).origin)
    const server = await startAnyport([], {
      early: true,
      target: `http://127.0.0.1:${front.port}/mcp`,
      options: ['--keys', file, '--header', 'X-Upstream: ours', '--no-sign-in'],
    })
    expect((await list(server.url, { authorization: `Bearer ${key}`, cookie: 'a=b' })).status).toBe(200)
    expect((await list(server.url, { 'x-api-key': key })).status).toBe(200)
    expect(front.seen.length).toBeGreaterThan(1)
    for (const { headers } of front.seen) {
      expect(headers).toMatchObject({ 'x-upstream': 'ours' })
      expect([headers.authorization, headers['x-api-key'], headers.cookie]).toEqual([
        undefined,
        undefined,
        undefined,
      ])
    }
    expect(JSON.stringify(front.seen)).not.toContain(key)
    await server.stop()
    front.close()
    await remote.stop()
  })

  it('prints the fingerprint of the certificate that it made', async () => {
    const server = await startAnyport(ECHO, { options: ['--tls', 'self-signed'] })
    expect(server.url).toMatch(/^https:/)
    const listening = await server.line(entry => entry.event === 'listening')
    expect(listening.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    await server.stop()
  })

  it('says which options do not go together', async () => {
    const command = ['--', ...ECHO]
    const serve = (...options: string[]) => ranAnyport('serve', '--port', '0', ...options, ...command)
    const tries: [string[], RegExp][] = [
      [['--host', '0.0.0.0'], /--keys/],
      [['--keys', join(folder, 'none.json')], /anyport keys create/],
      [['--tls-cert', 'a.pem'], /needs --tls-key/],
      [['--tls-key', 'a.pem'], /needs --tls-cert/],
      [['--tls', 'self-signed', '--tls-cert', 'a.pem'], /makes its own/],
      [['--tls-client-ca', 'a.pem'], /needs --tls-cert/],
      [['--tls-cert', 'none.pem', '--tls-key', 'none.pem'], /none\.pem cannot be read/],
      [['--auth-issuer', 'https://login.example.com'], /--public-url or --auth-audience/],
      [['--auth-issuer', 'http://login.example.com', '--auth-audience', 'x'], /must be https/],
      [['--auth-audience', 'x'], /needs --auth-issuer/],
      [['--auth-scope', 'x'], /--keys or --auth-issuer/],
      [['--allow-address', 'example.com'], /is no address/],
      [['--trust-proxy', 'example.com'], /is no address/],
      [['--cors', 'example.com'], /is no origin/],
    ]
    for (const [options, message] of tries) {
      const { code, stderr } = await serve(...options)
      expect([options, code]).toEqual([options, 2])
      expect(stderr).toMatch(message)
    }
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { certificates } from '../../../src/middleware/http/certificates.js'
import { serve } from '../../../src/node/serve.js'
import type { ServeEvent, ServeOptions, Server } from '../../../src/node/serve-options.js'
import { authority } from '../../fixtures/certificates.js'
import { modernServer } from '../../fixtures/modern-server.js'

const ours = authority()
const strangers = authority()
const folder = mkdtempSync(join(tmpdir(), 'anyport-tls-'))
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ drainTimeout: 0 })
})
afterAll(() => {
  ours.remove()
  strangers.remove()
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function identityFiles(name: string, { cert, key } = ours.issue('DNS:localhost,IP:127.0.0.1')) {
  return { cert: file(`${name}.pem`, cert), key: file(`${name}.key`, key) }
}

async function start(
  options: ServeOptions,
  handler = modernServer().handler,
): Promise<Server & { port: number }> {
  const server = await serve(handler, { port: 0, ...options })
  servers.push(server)
  return { ...server, port: Number(new URL(server.url as string).port) }
}

const body = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/list',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})

function post(
  port: number,
  options: RequestOptions = {},
): Promise<{ status: number; fingerprint: string; protocol: string | null }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
    }
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path: '/mcp',
        method: 'POST',
        headers,
        ca: ours.cert,
        agent: false,
        ...options,
      },
      answer => {
        const socket = answer.socket as TLSSocket
        const fingerprint = socket.getPeerCertificate().fingerprint256
        const protocol = socket.getProtocol()
        answer.resume().on('end', () => resolve({ status: answer.statusCode ?? 0, fingerprint, protocol }))
      },
    )
    call.on('error', reject).end(body)
  })
}

async function until<T>(what: () => T | undefined | false): Promise<T> {
  const end = performance.now() + 15_000
  for (;;) {
    const found = what()
    if (found) return found
    if (performance.now() > end) throw new Error('It never happened')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('HTTPS', () => {
  it('serves with the certificate of a file, on TLS 1.2 and 1.3 and nothing older', async () => {
    const { port, url, fingerprint } = await start({ tls: identityFiles('versions') })
    expect(url).toMatch(/^https:/)
    expect(await post(port)).toEqual({ status: 200, fingerprint, protocol: 'TLSv1.3' })
    expect(await post(port, { maxVersion: 'TLSv1.2' })).toEqual({
      status: 200,
      fingerprint,
      protocol: 'TLSv1.2',
    })
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(post(port, old)).rejects.toThrow()
    await expect(post(port, { ca: strangers.cert })).rejects.toThrow()
  })

  it('plain HTTP on its port gets no answer, and the server goes on', async () => {
    const { port } = await start({ tls: identityFiles('plain') })
    await expect(
      fetch(`http://127.0.0.1:${port}/mcp`, { signal: AbortSignal.timeout(5_000) }),
    ).rejects.toThrow()
    expect((await post(port)).status).toBe(200)
  })

  it('follows its files; half of a new pair changes nothing', async () => {
    const events: ServeEvent[] = []
    const files = identityFiles('changing')
    const { port, fingerprint } = await start({ tls: files, onEvent: event => events.push(event) })
    const next = ours.issue('DNS:localhost,IP:127.0.0.1')
    writeFileSync(files.cert, next.cert)
    const broken = await until(() => events.find(event => event.type === 'certificate'))
    expect(broken).toMatchObject({ fingerprint, error: { name: 'TypeError' } })
    expect((await post(port)).fingerprint).toBe(fingerprint)
    writeFileSync(files.key, next.key)
    const changed = await until(() =>
      events.find(event => event.type === 'certificate' && event.error === undefined),
    )
    const { status, fingerprint: now } = await post(port)
    expect([status, now]).toEqual([200, (changed as { fingerprint: string }).fingerprint])
    expect(now).not.toBe(fingerprint)
  })

  it('closes at once beside connections that have only shaken hands', async () => {
    const server = await start({ tls: identityFiles('idle') })
    const socket = connect({ host: '127.0.0.1', port: server.port, ca: ours.cert })
    await new Promise(resolve => socket.once('secureConnect', resolve))
    const closed = new Promise(resolve => socket.once('close', resolve))
    const start_ = performance.now()
    await server.close({ drainTimeout: 20_000 })
    await closed
    expect(performance.now() - start_).toBeLessThan(10_000)
  })

  it('makes a certificate for development', async () => {
    const { port, fingerprint } = await start({
      tls: { selfSigned: true },
      publicUrl: 'https://mcp.example.com',
    })
    const seen = await post(port, { rejectUnauthorized: false })
    expect(seen).toMatchObject({ status: 200, fingerprint })
    // Whoever trusts it can check the name.
    const ca = await new Promise<string>(resolve => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        const raw = socket.getPeerCertificate().raw.toString('base64')
        socket.destroy()
        resolve(`-----BEGIN CERTIFICATE-----\n${raw.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`)
      })
    })
    for (const servername of ['localhost', 'mcp.example.com'])
      expect((await post(port, { ca, servername })).status).toBe(200)
    expect((await post(port, { ca })).status).toBe(200)
    await expect(post(port, { ca, servername: 'other.example' })).rejects.toThrow(/altnames/)
  })

  it.each([
    ['no such file', () => ({ cert: join(folder, 'missing.pem'), key: join(folder, 'missing.key') })],
    ['no PEM', () => ({ cert: file('text.pem', 'hello'), key: file('text.key', 'hello') })],
    ['a key of another certificate', () => ({ ...identityFiles('one'), key: identityFiles('two').key })],
  ])('refuses %s from the start', async (_, files) => {
    await expect(serve(modernServer().handler, { port: 0, tls: files() })).rejects.toThrow(TypeError)
  })
})

describe('client certificates', () => {
  const mutual = async (server = modernServer()) => {
    const tls = { ...identityFiles('mutual'), clientCa: file('client-ca.pem', ours.cert) }
    return await start({ tls, authentication: { methods: [certificates()] } }, server.handler)
  }

  it('let in as their subject, on both versions of TLS', async () => {
    const server = modernServer()
    const { port } = await mutual(server)
    const client = ours.issue('DNS:client')
    expect((await post(port, client)).status).toBe(200)
    expect((await post(port, { ...client, maxVersion: 'TLSv1.2' })).status).toBe(200)
    expect(server.contexts.map(({ caller }) => caller.principal)).toEqual([
      expect.stringMatching(/^CN=server-\d+$/),
      expect.stringMatching(/^CN=server-\d+$/),
    ])
  })

  it('of strangers, expired ones and none do not', async () => {
    const { port } = await mutual()
    expect((await post(port)).status).toBe(401)
    const reached = async (client: RequestOptions) =>
      (await post(port, client).catch(() => ({ status: 401 }))).status
    expect(await reached(strangers.issue('DNS:client'))).toBe(401)
    expect(await reached(ours.issue('DNS:client', -1))).toBe(401)
  })

  it('open the way beyond this machine, as any authentication does', async () => {
    const tls = { ...identityFiles('open'), clientCa: file('open-ca.pem', ours.cert) }
    await expect(serve(modernServer().handler, { port: 0, host: '0.0.0.0', tls })).rejects.toThrow(
      /authenticate/,
    )
    const { port } = await start({ host: '0.0.0.0', tls, authentication: { methods: [certificates()] } })
    expect((await post(port)).status).toBe(401)
    const tcp = { host: '0.0.0.0', port: 0 }
    const options = { port: 0, tcp, authentication: { methods: [certificates()] } }
    await expect(serve(modernServer().handler, options)).rejects.toThrow(/authenticate/)
  })
})

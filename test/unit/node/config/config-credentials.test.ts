// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { GatewayEvent } from '../../../../src/gateway/events.js'
import { jwt } from '../../../../src/middleware/http/jwt.js'
import { type ConfigEvent, configGateway } from '../../../../src/node/config/config-gateway.js'
import { type Governing, govern } from '../../../../src/node/govern.js'
import { serve } from '../../../../src/node/serve.js'
import { everythingHandler } from '../../../fixtures/everything-handler.js'
import { listingServer } from '../../../fixtures/listing-server.js'

// Real servers, on machines that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const AUDIENCE = 'https://mcp.example.com/mcp'

let folder = ''
const ending: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-credentials-'))
})
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
  rmSync(folder, { recursive: true, force: true })
})

/** An authorization server: metadata, keys, and a token endpoint that exchanges what it has signed itself. */
async function authority() {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }
  const exchanged: string[] = []
  const server = createServer((request, response) => {
    const send = (body: object, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.url === '/keys') return send({ keys: [jwk] })
    if (request.url === '/.well-known/oauth-authorization-server')
      return send({ issuer, jwks_uri: `${issuer}/keys`, token_endpoint: `${issuer}/token` })
    if (request.url !== '/token') return send({}, 404)
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      const form = new URLSearchParams(body)
      const subject = JSON.parse(atob((form.get('subject_token') as string).split('.')[1] as string)).sub
      exchanged.push(`${request.headers.authorization} ${subject} ${form.get('audience')}`)
      send({ access_token: `upstream-token-of-${subject}`, token_type: 'Bearer', expires_in: 300 })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  ending.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const sign = (claims: JWTPayload) =>
    new SignJWT({ iss: issuer, aud: AUDIENCE, exp: Math.floor(Date.now() / 1_000) + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(privateKey)
  return { issuer, exchanged, sign }
}

/** A server elsewhere, and what it sees of those who come. */
async function elsewhere(handler = everythingHandler().handler) {
  const seen: string[] = []
  const server = await serve(handler, {
    port: 0,
    authentication: {
      methods: [
        { checkRequest: () => ({ principal: 'anybody' }) },
        { checkCredential: () => ({ principal: 'anybody' }) },
      ],
    },
    trustProxy: undefined,
    guards: [
      next => (request, context) => {
        const header = (name: string) => context.caller.header?.(name)
        const names = ['authorization', 'x-user', 'x-api-key', 'cookie', 'x-forwarded-for', 'x-own']
        seen.push([request.method, ...names.map(name => `${name}=${header(name) ?? ''}`)].join(' '))
        return next(request, context)
      },
    ],
  })
  ending.push(() => server.close({ drainTimeout: 0 }))
  return { url: server.url as string, seen }
}

async function front(
  config: object,
  issuer: string,
  governing?: Governing,
  onConfig?: (event: ConfigEvent) => void,
) {
  const file = join(folder, 'anyport.json')
  writeFileSync(file, JSON.stringify(config))
  const gatewayEvents: GatewayEvent[] = []
  const opened = await configGateway({
    onEvent: event => gatewayEvents.push(event),
    load: { file, env: { SECRET: 'client-secret' } },
    watch: false,
    ...(governing === undefined ? {} : { around: governing.around, audienceOf: governing.audienceOf }),
    ...(onConfig === undefined ? {} : { onConfig }),
  })
  const server = await serve(opened.gateway, {
    port: 0,
    authentication: { methods: [jwt({ issuer, audience: [AUDIENCE] })] },
    guards: governing?.guards,
  })
  ending.push(
    () => opened.close(),
    () => server.close({ drainTimeout: 0 }),
    () => governing?.close(),
  )
  return { url: server.url as string, file, reload: opened.reload, gatewayEvents }
}

async function ask(url: string, token: string, method: string, params: object = {}) {
  const name = (params as { readonly name?: string }).name
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
      cookie: 'planted=cookie',
      'x-own': 'planted',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  })
  const text = await response.text()
  const json = text.startsWith('{')
    ? text
    : (text.split('\n').findLast(line => line.startsWith('data: ')) ?? '').slice(6)
  return { status: response.status, headers: response.headers, ...JSON.parse(json) }
}

describe('a configuration', () => {
  it('gives each caller credentials of his own, and his token to nobody but its authorization server', async () => {
    const { issuer, exchanged, sign } = await authority()
    const [named, exchanging, plain] = [await elsewhere(), await elsewhere(), await elsewhere()]
    const audit = join(folder, 'audit.jsonl')
    const governing = await govern({ many: true, audit: { file: audit, withArguments: true } })
    const { url, gatewayEvents } = await front(
      {
        mcpServers: {
          named: { url: named.url, headers: { 'X-User': '${claim:email}' } },
          exchanging: {
            url: exchanging.url,
            auth: {
              type: 'token-exchange',
              issuer,
              clientId: 'gateway',
              clientSecret: '${SECRET}',
              audience: 'tracker',
            },
          },
          plain: { url: plain.url, headers: { Authorization: 'Bearer ours' } },
        },
      },
      issuer,
      governing,
    )
    const people = ['alice', 'bob']
    const tokens = await Promise.all(people.map(sub => sign({ sub, email: `${sub}@example.com` })))
    for (const token of tokens) {
      expect((await ask(url, token, 'tools/list')).result.tools.length).toBe(3)
      for (const name of ['named__echo', 'exchanging__echo', 'plain__echo'])
        expect((await ask(url, token, 'tools/call', { name, arguments: {} })).error).toBeUndefined()
    }
    const calls = (seen: readonly string[]) => seen.filter(line => line.startsWith('tools/call'))
    const line = (authorization: string, user: string) =>
      `tools/call authorization=${authorization} x-user=${user} x-api-key= cookie= x-forwarded-for= x-own=`
    expect(calls(named.seen)).toEqual(people.map(name => line('', `${name}@example.com`)))
    expect(calls(exchanging.seen)).toEqual(people.map(name => line(`Bearer upstream-token-of-${name}`, '')))
    expect(calls(plain.seen)).toEqual(people.map(() => line('Bearer ours', '')))
    expect(exchanged).toEqual(people.map(name => `Basic ${btoa('gateway:client-secret')} ${name} tracker`))
    const all = JSON.stringify([named.seen, exchanging.seen, plain.seen])
    for (const token of tokens) expect(all).not.toContain(token)
    expect(all).not.toContain('planted')
    await governing.close()
    const records = readFileSync(audit, 'utf8')
    expect(records).toContain(`${issuer}#alice`)
    for (const secret of [...tokens, 'upstream-token', 'client-secret', 'Bearer'])
      expect(records).not.toContain(secret)

    // Carol has no such claim: to her the server has nothing, and it is no trouble of the server's.
    const carol = await ask(url, await sign({ sub: 'carol' }), 'tools/list')
    expect(carol.result.tools.map(({ name }: { readonly name: string }) => name).sort()).toEqual([
      'exchanging__echo',
      'plain__echo',
    ])
    expect(gatewayEvents).toEqual([])
    const lacking = await ask(url, await sign({ sub: 'carol' }), 'tools/call', {
      name: 'named__echo',
      arguments: {},
    })
    expect(lacking.error.message).toContain('the claim "email"')
  })

  it('has rules and limits for one server, which change with the file', async () => {
    const { issuer, sign } = await authority()
    const listing = listingServer('s', ['read', 'write'])
    const one = await elsewhere(listing.handler)
    const events: ConfigEvent[] = []
    const config = (anyport: object, root = {}) => ({
      mcpServers: { one: { url: one.url, anyport }, two: { url: one.url } },
      anyport: root,
    })
    const { url, file, reload } = await front(
      config({
        rules: [{ allow: { tools: ['read'] } }, { allow: { tools: ['write'] }, claims: { role: 'ops' } }],
      }),
      issuer,
      undefined,
      event => events.push(event),
    )
    const dev = await sign({ sub: 'alice' })
    const ops = await sign({ sub: 'alice', role: 'ops' })
    const names = async (token: string) =>
      (await ask(url, token, 'tools/list')).result.tools.map(({ name }: { name: string }) => name).sort()
    expect(await names(dev)).toEqual(['one__read', 'two__read', 'two__write'])
    expect(await names(ops)).toEqual(['one__read', 'one__write', 'two__read', 'two__write'])
    expect((await ask(url, dev, 'tools/call', { name: 'one__write' })).error.message).toContain(
      'Unknown tool',
    )
    expect((await ask(url, dev, 'tools/call', { name: 'two__write' })).error).toBeUndefined()

    writeFileSync(
      file,
      JSON.stringify(
        config({ rateLimit: ['tool:read=1/h,1'], maxConcurrent: 5 }, { allowAddress: ['loopback'] }),
      ),
    )
    await reload()
    expect(events.at(-1)).toMatchObject({ type: 'config-applied', replaced: ['one'], needsRestart: true })
    expect(await names(dev)).toEqual(['one__read', 'one__write', 'two__read', 'two__write'])
    const outcomes = []
    for (const name of ['one__read', 'one__read', 'two__read', 'two__read'])
      outcomes.push((await ask(url, dev, 'tools/call', { name })).status)
    expect(outcomes).toEqual([200, 429, 200, 200])
  })
})

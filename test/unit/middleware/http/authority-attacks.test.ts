/** Authorization servers that mean harm, or are in trouble, over the network and its own `fetch`. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, expect, it, vi } from 'vitest'
import { CredentialRefusal } from '../../../../src/middleware/http/authentication.js'
import { introspection } from '../../../../src/middleware/http/introspection.js'
import { jwt } from '../../../../src/middleware/http/jwt.js'

// Real servers, on machines that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const AUDIENCE = 'https://mcp.example.com/mcp'
const METADATA = '/.well-known/oauth-authorization-server'

const ending: (() => void)[] = []
afterEach(() => {
  for (const end of ending.splice(0)) end()
})

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ending.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const pair = generateKeyPair('ES256')
async function signed(issuer: string): Promise<string> {
  return await new SignJWT({
    iss: issuer,
    aud: AUDIENCE,
    sub: 'alice',
    exp: Math.floor(Date.now() / 1_000) + 60,
  })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign((await pair).privateKey)
}
const keys = async () => ({
  keys: [{ ...(await exportJWK((await pair).publicKey)), kid: 'one', alg: 'ES256' }],
})

it('redirects are not followed, wherever they stand', async () => {
  const inner = await listen(
    (_request, response) => void keys().then(set => response.end(JSON.stringify(set))),
  )
  for (const redirected of [METADATA, '/keys', '/introspect'])
    for (const status of [301, 302, 303, 307, 308]) {
      const outer = await listen((request, response) => {
        if (request.url === redirected)
          response.writeHead(status, { location: `${inner.origin}/latest/meta-data` }).end()
        else if (request.url === METADATA)
          response.end(JSON.stringify({ issuer: outer.origin, jwks_uri: `${outer.origin}/keys` }))
        else response.writeHead(404).end()
      })
      const method =
        redirected === '/introspect'
          ? introspection({
              issuer: outer.origin,
              url: `${outer.origin}/introspect`,
              clientId: 'us',
              clientSecret: 'planted',
              audience: [AUDIENCE],
            })
          : jwt({ issuer: outer.origin, audience: [AUDIENCE] })
      const verdict = await method.checkCredential?.({ from: 'bearer', token: await signed(outer.origin) })
      expect([redirected, status, verdict instanceof CredentialRefusal && verdict.kind]).toEqual([
        redirected,
        status,
        'unavailable',
      ])
      expect(outer.asked).toContain(redirected)
    }
  expect(inner.asked).toEqual([])
})

it('keys that never come, and keys without an end, cost a limited time and size', async () => {
  let written = 0
  const server = await listen((request, response) => {
    if (request.url === '/hangs') return
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': String(100 * 1024 * 1024),
    })
    const chunk = Buffer.alloc(64 * 1024, ' ')
    const more = () => {
      while (written < 100 * 1024 * 1024 && !response.destroyed) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once('drain', more)
      }
    }
    more()
  })
  for (const path of ['/hangs', '/huge']) {
    const issuer = `${server.origin}`
    const method = jwt({ issuer, audience: [AUDIENCE], jwksUrl: server.origin + path, timeout: 500 })
    const began = performance.now()
    const token = await signed(issuer)
    const verdicts = await Promise.all(
      Array.from({ length: 20 }, () => method.checkCredential?.({ from: 'bearer', token })),
    )
    for (const verdict of verdicts) expect(verdict).toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - began).toBeLessThan(20_000)
  }
  // What the sockets hold, and no more.
  expect(written).toBeLessThan(50 * 1024 * 1024)
  // One question for all who wait.
  expect(server.asked).toEqual(['/hangs', '/huge'])
})

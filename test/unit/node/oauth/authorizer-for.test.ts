/** All of it together: the HTTP client that carries calls, the sign-in on disk, and a browser. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { SignInEvent } from '../../../../src/client/oauth/sign-in-events.js'
import { Context } from '../../../../src/exchange/context.js'
import { sendTo } from '../../../../src/exchange/http-endpoint.js'
import { httpClient } from '../../../../src/node/http/http-client.js'
import { authorizerFor, oauth } from '../../../../src/node/oauth/authorizer-for.js'
import { authorizationFixture, type Fixture } from '../../../fixtures/authorization-server.js'

const BROWSER = fileURLToPath(new URL('../../../fixtures/browser.mjs', import.meta.url))

let fixture: Fixture
let folder: string
let log: string

beforeEach(async () => {
  fixture = await authorizationFixture({ challengedScopes: ['a'] })
  folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  log = join(folder, 'browser.log')
  writeFileSync(log, '')
  vi.stubEnv('BROWSER', `${process.execPath} ${BROWSER} ${log}`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await fixture.close()
})

it('signs the calls of the HTTP client, and signs in through it', async () => {
  const client = httpClient({ proxy: false })
  const events: SignInEvent[] = []
  const make = oauth(fixture.url, {
    credentials: join(folder, 'sign-ins'),
    onEvent: event => events.push(event),
  })
  const endpoint = { name: 'x', url: fixture.url.href, client, authorizer: make(client) }
  const post = async (url: URL) => {
    const call = { method: 'POST', url: url.href, headers: {}, body: '{}' } as const
    const answer = await sendTo(endpoint, call, new Context({ binding: 'internal' }))
    answer.cancel()
    return answer.status
  }
  try {
    expect(await post(fixture.url)).toBe(200)
    expect(await post(new URL('?scope=b', fixture.url))).toBe(200)
    fixture.expireAll()
    expect(await post(fixture.url)).toBe(200)
  } finally {
    endpoint.authorizer.close()
    await client.close()
  }
  expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(2)
  expect(events.map(({ type }) => type)).toEqual(['auth-required', 'signed-in', 'auth-required', 'signed-in'])
  expect(fixture.log.tokenRequests.map(({ body }) => body.get('grant_type'))).toEqual([
    'authorization_code',
    'authorization_code',
    'refresh_token',
  ])
})

it('asks nobody where nobody can be asked', async () => {
  const client = httpClient({ proxy: false })
  const authorizer = oauth(fixture.url, { credentials: join(folder, 'sign-ins'), interactive: false })(client)
  const endpoint = { name: 'x', url: fixture.url.href, client, authorizer }
  const call = { method: 'POST', url: fixture.url.href, headers: {}, body: '{}' } as const
  const outcome = sendTo(endpoint, call, new Context({ binding: 'internal' }))
  await expect(outcome).rejects.toThrow(`anyport login ${fixture.url.href}`)
  await client.close()
  expect(readFileSync(log, 'utf8')).toBe('')
})

it('refuses options that cannot work at once', () => {
  expect(() => authorizerFor('https://x.example', { callbackPath: 'x' })).toThrow(TypeError)
  expect(() => authorizerFor('https://x.example', { clientSecret: 'x' })).toThrow('--client-id')
})

import { describe, expect, it } from 'vitest'
import { apiKeys, newApiKey } from '../../../src/middleware/http/api-keys.js'
import { asMiddleware } from '../../../src/middleware/http/as-middleware.js'
import { authentication } from '../../../src/middleware/http/authentication.js'
import { cors } from '../../../src/middleware/http/cors.js'
import { originGuard } from '../../../src/middleware/http/origin-guard.js'
import { guardFetch } from '../../../src/serverless/guard-fetch.js'

const ask = (headers: Record<string, string> = {}, method = 'GET') =>
  new Request('https://mcp.example.com/x', { method, headers })

describe('guards around a plain function', () => {
  it('the first one is outermost, and what is refused never reaches the function', async () => {
    const { key, record } = await newApiKey('alice')
    let calls = 0
    const guarded = guardFetch(
      (_request, { identity }) => {
        calls++
        return new Response(identity?.principal)
      },
      [
        asMiddleware(originGuard({ allowOrigins: ['https://app.example.com'] })),
        cors({ origins: ['https://app.example.com'] }),
        authentication({ methods: [apiKeys({ keys: [record] })] }),
      ],
    )
    const origin = 'https://app.example.com'
    expect((await guarded(ask({ origin: 'https://evil.example', 'x-api-key': key }))).status).toBe(403)
    const unknown = await guarded(ask({ origin }))
    // A page has to see why it was refused.
    expect([unknown.status, unknown.headers.get('access-control-allow-origin')]).toEqual([401, origin])
    expect((await guarded(ask({ origin, 'access-control-request-method': 'GET' }, 'OPTIONS'))).status).toBe(
      204,
    )
    expect(calls).toBe(0)
    const known = await guarded(ask({ origin, 'x-api-key': key }))
    expect([await known.text(), known.headers.get('access-control-allow-origin')]).toEqual(['alice', origin])
    expect(calls).toBe(1)
  })

  it('the response of the function stays its own: status, stream, cookies, Vary', async () => {
    const origin = 'https://app.example.com'
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('streamed'))
        controller.close()
      },
    })
    const headers = new Headers({ vary: 'Accept-Encoding', 'x-own': 'kept' })
    headers.append('set-cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const guarded = guardFetch(
      () => new Response(body, { status: 202, headers }),
      [cors({ origins: [origin] })],
    )
    const response = await guarded(ask({ origin }))
    expect(response.status).toBe(202)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(response.headers.get('vary')).toBe('Accept-Encoding, Origin')
    expect(response.headers.get('x-own')).toBe('kept')
    expect(await response.text()).toBe('streamed')
  })

  it('the body is left to the function, and what it throws is not hidden', async () => {
    const echo = guardFetch(async request => new Response(await request.text()), [])
    expect(
      await (await echo(new Request('https://x.example', { method: 'POST', body: 'words' }))).text(),
    ).toBe('words')
    const failing = guardFetch(() => Promise.reject(new Error('mine')), [asMiddleware(originGuard())])
    await expect(failing(ask())).rejects.toThrow('mine')
  })
})

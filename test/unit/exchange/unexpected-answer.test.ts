import { describe, expect, it, vi } from 'vitest'
import { nameOfUrl } from '../../../src/exchange/http-address.js'
import type { HttpAnswer, HttpBodyListener, HttpCall } from '../../../src/exchange/http-client.js'
import { describeAnswer, unexpectedAnswer } from '../../../src/exchange/unexpected-answer.js'

const call: HttpCall = {
  method: 'POST',
  url: 'https://mcp.example.com/mcp',
  headers: {
    'content-type': 'application/json',
    authorization: 'Bearer the-token-itself',
    'X-Api-Key': 'k3y-of-mine',
  },
}

function said(status: number, contentType: string | undefined, text: string, more = {}) {
  const error = describeAnswer({ status, contentType, text, ...more }, call)
  return { message: error.message, code: error.code, knob: error.facts.knob, status: error.facts.status }
}

describe('an unexpected answer', () => {
  it('is a sign-in page', () => {
    expect(
      said(200, 'text/html; charset=utf-8', '<!DOCTYPE html><html><title>Log in\n - ACME</title>'),
    ).toEqual({
      message:
        'https://mcp.example.com/mcp answered with a web page titled "Log in - ACME", not with MCP: it wants a sign-in, or it is the wrong address',
      code: 'ERR_HANDSHAKE',
      knob: undefined,
      status: 200,
    })
  })

  it('is HTML that calls itself something else', () => {
    expect(said(200, 'application/json', '  <html><body>hello').message).toContain(
      'answered with a web page, not',
    )
  })

  it.each([
    [
      200,
      'text/plain',
      'hello\nworld',
      'it answered with text/plain instead of JSON or an event stream. It said: hello | world',
    ],
    [200, undefined, '', 'is not an MCP server: its answer has no content type'],
    [200, 'application/json', '{"message":"welcome"}', 'its answer holds no MCP message. It said: welcome'],
    [204, undefined, '', 'no content type'],
  ])('is a success without a message: %i %s', (status, type, text, words) => {
    const { message, code } = said(status, type, text)
    expect(message).toContain(words)
    expect(code).toBe('ERR_HANDSHAKE')
  })

  it.each([
    [401, '', 'anyport login https://mcp.example.com/mcp', '--header'],
    [
      403,
      '{"error":"insufficient_scope","error_description":"needs files:write"}',
      'It said: needs files:write',
      '--header',
    ],
    [
      404,
      '<html><title>404 Not Found</title>',
      'there is nothing at this address; check its path',
      undefined,
    ],
    [405, '', 'no MCP server of this transport', '--transport'],
    [
      406,
      '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Not Acceptable: Client must accept text/event-stream"},"id":null}',
      'It said: Not Acceptable: Client must accept text/event-stream',
      '--transport',
    ],
    [418, 'I am a teapot', 'answered 418. It said: I am a teapot', undefined],
    [500, 'Traceback\n  File 1\n  File 2\n  File 3', 'It said: Traceback | File 1 | File 2', undefined],
  ])('is a refusal: %i %s', (status, text, words, knob) => {
    const verdict = said(status, text.startsWith('<') ? 'text/html' : 'text/plain', text)
    expect(verdict.message).toContain(words)
    expect(verdict).toMatchObject({ code: 'ERR_STATUS', knob, status })
  })

  it('names the proxy that failed, and how long to wait', () => {
    expect(
      said(502, 'text/html', '<html><title>502 Bad Gateway</title>', { server: 'nginx/1.2' }).message,
    ).toBe(
      'https://mcp.example.com/mcp answered 502 Bad Gateway: what is behind it (nginx/1.2) is down or too slow. It said: 502 Bad Gateway',
    )
    expect(said(429, 'text/plain', '', { retryAfter: '30' }).message).toContain('it asks to wait 30 s')
    expect(said(429, 'text/plain', '', { retryAfter: 'soon\u001b[31m' }).message).not.toContain('soon')
  })

  it('never repeats what was sent as a secret, nor what looks like one', () => {
    const texts = [
      'no such token: Bearer the-token-itself (k3y-of-mine)',
      'the-token-itself',
      '{"message":"bad the-token-itself"}',
      'access_token=abcdef12345 "api_key": "zzzzzzzz"',
      'try eyJhbGciOiJIUzI1NiJ9.e30.aaaa or sk-live-123456789',
    ]
    for (const text of texts) {
      const { message } = said(400, 'text/plain', text)
      expect(message).not.toMatch(/the-token-itself|k3y-of-mine|abcdef12345|zzzzzzzz|eyJ|sk-live/)
      expect(message).toContain('***')
    }
    expect(said(200, 'text/html', '<title>the-token-itself</title>').message).not.toContain(
      'the-token-itself',
    )
  })

  it('is bounded and printable', () => {
    const { message } = said(500, 'text/plain', `\u001b[31mred\u202e${'\u{1f600}'.repeat(1_000)}`)
    expect(message.length).toBeLessThan(1_000)
    expect(message).not.toContain('\u001b')
    expect(message).not.toContain('\u202e')
    expect(message.endsWith('...')).toBe(true)
    expect(() => encodeURIComponent(message)).not.toThrow()
  })

  it('is read only as far as it is quoted', async () => {
    let listener: HttpBodyListener | undefined
    const cancel = vi.fn()
    const answer: HttpAnswer = {
      status: 500,
      header: name => (name === 'content-type' ? 'text/plain' : undefined),
      listen: given => {
        listener = given
      },
      pause() {},
      resume() {},
      cancel,
    }
    const error = unexpectedAnswer(answer, call)
    listener?.data(new TextEncoder().encode(`first\n${'x'.repeat(3_000)}`))
    expect(cancel).not.toHaveBeenCalled()
    listener?.data(new Uint8Array(3_000))
    expect(cancel).toHaveBeenCalledOnce()
    expect((await error).message).toContain('It said: first | xxx')
  })

  it('is described by what came in time where it never ends', async () => {
    vi.useFakeTimers()
    const cancel = vi.fn()
    const answer: HttpAnswer = {
      status: 503,
      header: () => undefined,
      listen: listener => listener.data(new TextEncoder().encode('starting')),
      pause() {},
      resume() {},
      cancel,
    }
    const error = unexpectedAnswer(answer, call)
    await vi.advanceTimersByTimeAsync(2_000)
    expect((await error).message).toContain('It said: starting')
    expect(cancel).toHaveBeenCalledOnce()
    vi.useRealTimers()
  })
})

describe('the name of an address', () => {
  it.each([
    ['https://mcp.example.com/mcp', 'https://mcp.example.com/mcp'],
    ['http://127.0.0.1:3000/a/b?api_key=s3cret&x=1', 'http://127.0.0.1:3000/a/b?api_key=***&x=***'],
    ['https://user:pass@host.example/mcp#x', 'https://host.example/mcp'],
    ['https://host.example/s/MTIzNDU2Nzg5MDEyMzQ1Njc4OTA/mcp', 'https://host.example/s/***/mcp'],
    [
      'https://host.example/a-very-long-but-readable-name/mcp',
      'https://host.example/a-very-long-but-readable-name/mcp',
    ],
    ['http+unix://%2Frun%2Fserver-1-of-many.sock/mcp', 'http+unix://%2Frun%2Fserver-1-of-many.sock/mcp'],
    ['nonsense', 'an invalid address'],
  ])('%s', (url, name) => {
    expect(nameOfUrl(url)).toBe(name)
  })
})

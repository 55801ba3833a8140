import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { TransportError } from '../../../../src/exchange/errors.js'
import { type CallbackServer, listenForCallback } from '../../../../src/node/oauth/callback-server.js'
import { personAtBrowser, type SignInPrompt } from '../../../../src/node/oauth/person-at-browser.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map(close => close()))
})

async function listen(
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<CallbackServer> {
  const callback = await listenForCallback({ host: '127.0.0.1', port: 0, path: '/callback', ...options })
  closing.push(() => callback.close())
  return callback
}

/** A port that somebody listens on. */
async function busyPort(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return (server.address() as AddressInfo).port
}

describe('the callback', () => {
  it('waits for the answer with the right state, whatever else comes', async () => {
    const { redirectUri, answer } = await listen()
    const answered = answer('right')
    expect((await fetch(`${redirectUri}?code=x&state=wrong`)).status).toBe(400)
    expect((await fetch(redirectUri)).status).toBe(400)
    expect((await fetch(new URL('/other', redirectUri))).status).toBe(404)
    expect((await fetch(`${redirectUri}?code=x&state=right`, { method: 'POST' })).status).toBe(400)
    const page = fetch(`${redirectUri}?code=x&state=right`)
    const { parameters, conclude } = await answered
    expect(parameters.get('code')).toBe('x')
    conclude(undefined)
    const response = await page
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('You can close this tab')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('shows what went wrong, and nothing else', async () => {
    const { redirectUri, answer } = await listen()
    const answered = answer('s')
    const page = fetch(`${redirectUri}?state=s`)
    ;(await answered).conclude(new Error('<script>alert("x")</script>'))
    const response = await page
    expect(response.status).toBe(400)
    const text = await response.text()
    expect(text).not.toContain('<script>')
    expect(text).toContain('&#60;script&#62;')
  })

  it.each(['127.0.0.1', 'localhost'])('is at %s, as it was registered', async host => {
    const { redirectUri, answer } = await listen({ host })
    expect(redirectUri).toMatch(new RegExp(`^http://${host}:\\d+/callback$`))
    const answered = answer('s')
    const page = fetch(`${redirectUri}?state=s`)
    ;(await answered).conclude(undefined)
    expect((await page).status).toBe(200)
  })

  it('on a taken port is an error that names the port and the option', async () => {
    const port = await busyPort()
    const error = await listenForCallback({ host: '127.0.0.1', port, path: '/callback' }).catch(
      error => error,
    )
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ERR_LISTEN', facts: { knob: '--callback-port' } })
    expect(error.message).toContain(`port ${port}`)
    expect(error.message).toContain('--callback-port')
  })
})

describe('the person', () => {
  const person = (options: Partial<Parameters<typeof personAtBrowser>[0]> = {}) => {
    const prompts: SignInPrompt[] = []
    return {
      prompts,
      ...personAtBrowser({ browser: false, onPrompt: prompt => prompts.push(prompt), ...options }),
    }
  }
  const address = new URL('https://auth.example/authorize?x=1')

  it('is asked at the port of the last time, or at any other where that is taken', async () => {
    const first = await person().receive(undefined)
    await first.close()
    const again = await person().receive(first.redirectUri)
    expect(again.redirectUri).toBe(first.redirectUri)
    const other = await person().receive(first.redirectUri)
    expect(other.redirectUri).not.toBe(first.redirectUri)
    await Promise.all([again.close(), other.close()])
  })

  it('is asked at the chosen port, host and path, or not at all', async () => {
    const port = await busyPort()
    await expect(person({ callbackPort: port }).receive(undefined)).rejects.toThrow(`port ${port}`)
    const free = await person({ callbackHost: 'localhost', callbackPath: '/oauth/callback' }).receive(
      undefined,
    )
    expect(free.redirectUri).toMatch(/^http:\/\/localhost:\d+\/oauth\/callback$/)
    await free.close()
  })

  it('may paste the address at which the browser ended', async () => {
    const terminal = new PassThrough()
    const { receive, prompts } = person({ terminal })
    const receiver = await receive(undefined)
    closing.push(() => receiver.close())
    const answered = receiver.ask(address, 'right', new AbortController().signal)
    terminal.write('what?\n\nhttp://127.0.0.1:1/callback?state=wrong&code=1\n')
    await expect.poll(() => prompts.filter(({ wrong }) => wrong).length, { timeout: 5_000 }).toBe(2)
    terminal.write('  http://127.0.0.1:1/callback?state=right&code=2 \n')
    expect((await answered).parameters.get('code')).toBe('2')
    expect(prompts.find(({ wrong }) => wrong === undefined)).toEqual({
      url: address.href,
      opened: false,
      paste: true,
    })
  })

  it('is not waited for any more after that was given up', async () => {
    const receiver = await person().receive(undefined)
    closing.push(() => receiver.close())
    const controller = new AbortController()
    const answered = receiver.ask(address, 'right', controller.signal)
    controller.abort(new Error('enough'))
    await expect(answered).rejects.toThrow('enough')
  })
})

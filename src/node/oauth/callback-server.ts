/** Receives the answer of an authorization server on this machine (RFC 8252 section 7.3). */

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AuthorizationAnswer } from '../../client/oauth/person.js'
import { TransportError } from '../../exchange/errors.js'
import { failurePage, strangerPage, successPage } from './sign-in-page.js'

export interface CallbackOptions {
  /** As it is registered: `127.0.0.1` or `localhost`. */
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  readonly path: string
}

export interface CallbackServer {
  readonly redirectUri: string
  /** Resolves with the first answer that carries `state`. Others are told that they came to the wrong place. */
  answer(state: string): Promise<AuthorizationAnswer>
  close(): Promise<void>
}

/** Milliseconds for the last page to reach the browser. */
const CLOSE_LIMIT = 1_000

/** Rejects with `TransportError` ERR_LISTEN where the port cannot be had. */
export async function listenForCallback({ host, port, path }: CallbackOptions): Promise<CallbackServer> {
  let waiting: { readonly state: string; readonly resolve: (answer: AuthorizationAnswer) => void } | undefined
  const servers: Server[] = []
  const serve = () =>
    createServer({ requestTimeout: 10_000 }, (request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      const parameters = url.searchParams
      // Without the right state it is not the answer, whoever sent it: it neither ends the sign-in nor is it looked at.
      if (request.method !== 'GET' || url.pathname !== path || parameters.get('state') !== waiting?.state) {
        send(response, url.pathname === path ? 400 : 404, strangerPage())
        return
      }
      const { resolve } = waiting
      waiting = undefined
      resolve({
        parameters,
        conclude: error =>
          send(response, error === undefined ? 200 : 400, error ? failurePage(error.message) : successPage()),
      })
    })
  const first = serve()
  servers.push(first)
  const bound = await listen(first, host === 'localhost' ? '127.0.0.1' : host, port)
  if (host === 'localhost') {
    // Browsers may take either address of the name. Where the machine has no IPv6, one is enough.
    const second = serve()
    await listen(second, '::1', bound).then(
      () => servers.push(second),
      () => {},
    )
  }
  return {
    redirectUri: `http://${host}:${bound}${path}`,
    answer: state =>
      new Promise(resolve => {
        waiting = { state, resolve }
      }),
    close: async () => {
      await Promise.all(servers.map(close))
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', error => {
      const { code } = error as NodeJS.ErrnoException
      const why = code === 'EADDRINUSE' ? 'another program uses that port' : (code ?? error.message)
      reject(
        new TransportError(
          'ERR_LISTEN',
          `The answer to the sign-in cannot be received at ${host}, port ${port}: ${why}. Choose another port with ` +
            '--callback-port (the redirect address that is registered changes with it), or end that program',
          { knob: '--callback-port', cause: error },
        ),
      )
    })
    server.listen({ host, port, exclusive: true }, () => resolve((server.address() as AddressInfo).port))
  })
}

function send(response: ServerResponse, status: number, page: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  })
  response.end(page)
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_LIMIT)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

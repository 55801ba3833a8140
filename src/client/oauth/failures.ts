/** What goes wrong on the way to a token, as a person wants to read it. No token, code or secret is ever part of it. */

import { TransportError } from '../../exchange/errors.js'
import { nameOf } from './addresses.js'

/** A person, or whoever runs the server, has to do something: repeating the request does not help. */
export function signInError(
  server: string,
  message: string,
  {
    knob,
    cause,
    ofCaller,
  }: { readonly knob?: string; readonly cause?: unknown; readonly ofCaller?: boolean } = {},
): TransportError {
  return new TransportError('ERR_SIGN_IN', message, {
    hop: server,
    ...(knob === undefined ? {} : { knob }),
    ...(cause === undefined ? {} : { cause }),
    ...(ofCaller === undefined ? {} : { ofCaller }),
  })
}

/** An authorization server or a metadata address cannot be reached, or does not answer in time. */
export function unreachable(address: URL, why: string, cause?: unknown): TransportError {
  const late = why.startsWith('no answer')
  return new TransportError(late ? 'ERR_TIMEOUT' : 'ERR_CONNECT', `${nameOf(address)}: ${why}`, {
    hop: address.origin,
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Text of a foreign server for an error message: one line, bounded. */
export function foreignText(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}

/** Sign-ins in the log of a command that goes on meanwhile. */

import type { SignInEvent } from '../client/oauth/sign-in-events.js'
import type { Log } from '../node/log.js'

export function signInLog(log: Log): (event: SignInEvent) => void {
  return event => {
    const { type, server } = event
    switch (type) {
      case 'auth-required': {
        const { url } = event
        if (url === undefined)
          log.warn('auth_required', `${server} wants a sign-in; sign in with: anyport login ${server}`, {
            server,
          })
        else
          log.warn('auth_required', `${server} wants a sign-in. If no browser shows it, open the address`, {
            server,
            url,
          })
        return
      }
      case 'auth-awaited':
        return log.info('auth_awaited', `Another anyport process asks for the sign-in to ${server}`, {
          server,
        })
      case 'signed-in':
        return log.info('signed_in', `Signed in to ${server}`, { server, issuer: event.issuer })
      case 'sign-in-ended':
        return log.warn('sign_in_ended', `${event.issuer} does not renew the sign-in to ${server} any more`, {
          server,
          issuer: event.issuer,
        })
      case 'sign-in-failed':
        return log.error('sign_in_failed', event.error.message, { server })
      case 'sign-in-not-stored':
        return log.warn('sign_in_not_stored', event.error.message, { server })
    }
  }
}

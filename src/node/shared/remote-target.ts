/** Servers at addresses, as the background reaches them for its clients. */

import type { OAuthAuthorizer } from '../../client/oauth/authorizer.js'
import type { SignInEvent } from '../../client/oauth/sign-in-events.js'
import type { RemoteTarget } from '../../client/remote.js'
import type { ConnectOptions } from '../connect.js'
import { connectUrl } from '../connect-url.js'
import { literalHeaders } from '../http/header-values.js'
import { oauth } from '../oauth/authorizer-for.js'
import { signingKey } from '../oauth/signing-key.js'
import type { SharedRemote } from './entry.js'

export interface SharedTarget {
  readonly target: RemoteTarget
  /** Ends its connections, and a sign-in that waits for a person. */
  close(): Promise<void>
}

/** Rejects with `TypeError` for what cannot work. */
export async function remoteTarget(
  server: SharedRemote,
  options: ConnectOptions,
  onSignIn: (event: SignInEvent) => void,
): Promise<SharedTarget> {
  await loaded()
  const { url, transport, headers, http, proxies, signIn, desktop } = server
  const key = signIn?.clientKey
  const clientKey = key === undefined ? undefined : await signingKey(key.pem, key.id)
  const makeAuthorizer =
    signIn === undefined
      ? undefined
      : oauth(url, { ...signIn, clientKey, environment: { ...process.env, ...desktop }, onEvent: onSignIn })
  let authorizer: OAuthAuthorizer | undefined
  const target = connectUrl(
    {
      ...http,
      url,
      transport,
      headers: literalHeaders(headers),
      environment: proxies,
      authorizer:
        makeAuthorizer === undefined
          ? undefined
          : client => {
              authorizer = makeAuthorizer(client)
              return authorizer
            },
    },
    options,
  )
  return {
    target,
    close: async () => {
      authorizer?.close()
      await target.remote.client.close()
    },
  }
}

/** All that is loaded when it is needed: by then an upgrade may have replaced the files. */
async function loaded(): Promise<void> {
  await Promise.all([
    import('../../client/open-remote.js'),
    import('../oauth/callback-server.js'),
    import('../oauth/open-browser.js'),
  ])
}

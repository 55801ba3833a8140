import { TransportError } from '../../exchange/errors.js'
import { type AuthorizationServerMetadata, discoverAuthorizationServer } from './authorization-server.js'
import type { RequestLimits } from './bounded-fetch.js'
import type { Tokens } from './credentials.js'
import { signInError } from './failures.js'
import type { TokenExchangeOptions } from './token-exchange-options.js'
import { exchangeToken, GrantGone } from './token-requests.js'

/** Gives another token for a caller's. Rejects with `TransportError` that holds neither. */
export type Exchanger = (subject: string) => Promise<Tokens>

export interface ExchangerOptions extends TokenExchangeOptions {
  /** What a person knows the server by, for which the tokens are. */
  readonly server: string
  readonly limits: RequestLimits
}

export function createExchanger(options: ExchangerOptions): Exchanger {
  const { server, limits, clientId, clientSecret } = options
  let known: Promise<AuthorizationServerMetadata> | undefined
  const metadata = () => {
    known ??= metadataOf(options).catch(error => {
      known = undefined
      throw error
    })
    return known
  }
  const client = {
    id: clientId,
    origin: 'configured',
    ...(clientSecret === undefined ? {} : { secret: clientSecret }),
  } as const
  return async subject => {
    const found = await metadata()
    const authority = options.issuer ?? found.issuer
    try {
      const { tokens } = await exchangeToken(
        { metadata: found, client, resource: '', server, key: undefined, limits },
        subject,
        options,
      )
      // An authorization server that hands it back would make us pass the caller's own token on.
      if (tokens.accessToken === subject)
        throw signInError(
          server,
          `${authority} gave the caller's own token back, which ${server} must not get`,
        )
      return tokens
    } catch (error) {
      const shown = error instanceof GrantGone ? refusal(server, authority, error) : error
      throw without([subject, clientSecret], shown)
    }
  }
}

async function metadataOf({
  issuer,
  tokenEndpoint,
  limits,
}: ExchangerOptions): Promise<AuthorizationServerMetadata> {
  if (tokenEndpoint !== undefined)
    return { issuer: new URL(tokenEndpoint).origin, token_endpoint: tokenEndpoint }
  return await discoverAuthorizationServer(issuer as string, new URL(issuer as string), limits)
}

function refusal(server: string, authority: string, { reason }: GrantGone): TransportError {
  const why =
    reason === 'client'
      ? 'it does not let this client exchange tokens (auth.clientId)'
      : 'it does not take the token that the caller showed'
  return signInError(server, `${authority} gives no token for ${server}: ${why}`, {
    knob: 'auth',
    ofCaller: reason === 'grant',
  })
}

/** Some authorization servers repeat in their errors what they were sent. */
function without(secrets: readonly (string | undefined)[], error: unknown): unknown {
  if (!(error instanceof TransportError)) return error
  let { message } = error
  for (const secret of secrets) if (secret) message = message.replaceAll(secret, '***')
  return message === error.message ? error : new TransportError(error.code, message, error.facts)
}

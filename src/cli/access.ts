/** From the words of the command line to who may come in. */

import type { AuthenticationMethod } from '../middleware/http/authentication.js'
import type { Log } from '../node/log.js'
import type { ServeOptions } from '../node/serve-options.js'
import { type OptionValues, UsageError } from './arguments.js'
import { describeError } from './describe-error.js'
import type { SERVE_OPTIONS } from './serve-options.js'

type Options = OptionValues<typeof SERVE_OPTIONS>

export interface Access {
  readonly options: Pick<
    ServeOptions,
    'authentication' | 'tls' | 'cors' | 'allowAddresses' | 'denyAddresses' | 'trustProxy'
  >
  /** Stops following files. */
  close(): void
}

/** Throws `UsageError` for options that do not go together, and `TypeError` for what cannot be used. */
export async function accessOf(options: Options, log: Log): Promise<Access> {
  const closes: (() => void)[] = []
  const methods: AuthenticationMethod[] = []
  if (options.keys !== undefined) {
    const { apiKeyFile, apiKeyFilePath } = await import('../node/storage/api-key-file.js')
    const file = options.keys === 'default' ? apiKeyFilePath() : options.keys
    const keys = apiKeyFile({
      file,
      onChange: ({ keys, error }) => {
        if (error === undefined) log.info('keys_changed', `${file} was read again`, { keys })
        else log.error('keys_broken', `The keys stay as they were: ${describeError(error)}`, { keys })
      },
    })
    closes.push(keys.close)
    methods.push(keys)
  }
  methods.push(...(await tokenMethods(options)))
  if (options['tls-client-ca'] !== undefined)
    methods.push((await import('../middleware/http/certificates.js')).certificates())
  if (methods.length === 0 && options['auth-scope'].length > 0)
    throw new UsageError('--auth-scope needs somebody who has scopes: add --keys or --auth-issuer')
  return {
    options: {
      ...(methods.length === 0 ? {} : { authentication: { methods, requiredScopes: options['auth-scope'] } }),
      ...tlsOf(options),
      ...(options.cors.length === 0 ? {} : { cors: { origins: options.cors } }),
      allowAddresses: options['allow-address'],
      denyAddresses: options['deny-address'],
      ...(options['trust-proxy'].length === 0
        ? {}
        : { trustProxy: { addresses: options['trust-proxy'], headers: options['proxy-headers'] } }),
    },
    close() {
      for (const close of closes) close()
    },
  }
}

async function tokenMethods(options: Options): Promise<readonly AuthenticationMethod[]> {
  const issuer = options['auth-issuer']
  if (issuer === undefined) {
    for (const name of ['auth-audience', 'auth-jwks', 'auth-algorithm', 'auth-introspection'] as const)
      if (options[name] !== undefined && options[name].length > 0)
        throw new UsageError(`--${name} needs --auth-issuer`)
    return []
  }
  const audience = options['auth-audience'].length > 0 ? options['auth-audience'] : audiencesOf(options)
  const { jwt } = await import('../middleware/http/jwt.js')
  const signed = jwt({
    issuer,
    audience,
    ...(options['auth-jwks'] === undefined ? {} : { jwksUrl: options['auth-jwks'] }),
    ...(options['auth-algorithm'].length === 0 ? {} : { algorithms: options['auth-algorithm'] }),
    clockSkew: options['auth-clock-skew'] / 1_000,
  })
  const url = options['auth-introspection']
  if (url === undefined) return [signed]
  const clientId = options['auth-client-id']
  const clientSecret = options['auth-client-secret'] ?? process.env.ANYPORT_AUTH_CLIENT_SECRET
  if (clientId === undefined || clientSecret === undefined || clientSecret === '')
    throw new UsageError(
      '--auth-introspection needs --auth-client-id, and its secret in ANYPORT_AUTH_CLIENT_SECRET',
    )
  const { introspection } = await import('../middleware/http/introspection.js')
  const asked = introspection({ issuer, url, clientId, clientSecret, audience })
  // Keys that nobody publishes cannot be had: then signed tokens are asked about as well.
  return options['auth-jwks'] === undefined ? [asked] : [signed, asked]
}

/** What our metadata calls us. */
function audiencesOf(options: Options): readonly string[] {
  const base = options['public-url']?.replace(/\/+$/, '')
  if (base === undefined)
    throw new UsageError(
      '--auth-issuer needs --public-url or --auth-audience: tokens for others must be told from ours',
    )
  return [base, `${base}/`, base + options.path, base + options['sse-path'], `${base}/servers/*`]
}

function tlsOf(options: Options): Pick<ServeOptions, 'tls'> {
  const { tls, 'tls-cert': cert, 'tls-key': key, 'tls-client-ca': clientCa } = options
  if (tls !== undefined) {
    if (cert !== undefined || key !== undefined)
      throw new UsageError('--tls self-signed makes its own certificate: leave out --tls-cert and --tls-key')
    return { tls: { selfSigned: true, clientCa } }
  }
  if (cert !== undefined && key !== undefined) return { tls: { cert, key, clientCa } }
  if (cert !== undefined) throw new UsageError('--tls-cert needs --tls-key')
  if (key !== undefined) throw new UsageError('--tls-key needs --tls-cert')
  if (clientCa !== undefined)
    throw new UsageError('--tls-client-ca needs --tls-cert and --tls-key, or --tls self-signed')
  return {}
}

/** Entries of a configuration as servers that a gateway keeps alive. */

import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { TokenExchangeOptions } from '../../client/oauth/token-exchange-options.js'
import type { RemoteTarget } from '../../client/remote.js'
import type {
  RemoteServer,
  ServerEntry,
  ServerSettings,
  StdioServer,
  TokenExchangeEntry,
} from '../../config/server-entry.js'
import type { Middleware } from '../../exchange/exchange.js'
import { type AccessRule, accessRules } from '../../middleware/exchange/access-rules.js'
import { authorization } from '../../middleware/exchange/authorization.js'
import { limits } from '../../middleware/exchange/limits.js'
import { parseRateLimit } from '../../middleware/exchange/rate-limit.js'
import { type ConnectOptions, connect } from '../connect.js'
import { connectUrl } from '../connect-url.js'
import type { GatewayTarget } from '../gateway.js'
import { literalHeaders } from '../http/header-values.js'
import type { HttpClientOptions } from '../http/http-client.js'
import { oauth, type SignInOptions } from '../oauth/authorizer-for.js'
import { readEnvFile } from '../process/env-file.js'
import type { LaunchPlan } from '../process/launch-plan.js'
import { signInOf } from './config-sign-in.js'

export interface ConfigServersOptions {
  /** What relative paths are relative to: the configuration's file. */
  readonly file: string
  /** Limits of those that set none. */
  readonly limits?: ConnectOptions | undefined
  /** How requests to remote servers are carried: proxies, certificates, limits. */
  readonly http?: HttpClientOptions | undefined
  /** How to sign in to remote servers, where they say nothing else. Missing: to none. */
  readonly signIn?: SignInOptions | undefined
  readonly onStderr?: ((server: string, line: string) => void) | undefined
  readonly onLaunch?: ((server: string, launch: LaunchPlan) => void) | undefined
  /** What goes directly around a server, outermost first. Default: nothing. */
  readonly guardsOf?: ((entry: ServerEntry) => readonly Middleware[]) | undefined
}

/** Nothing is started. Throws `TypeError` for an entry that cannot work, with its name. */
export function serverOf(entry: ServerEntry, options: ConfigServersOptions): GatewayTarget {
  const { timeouts = {}, tools = {}, settings = {} } = entry
  const { prefix, rename, describe, allow, deny, lazy, maxChildren, maxMessage: _size, ...others } = settings
  const {
    rateLimit: _rates,
    maxConcurrent: _calls,
    rules: _rules,
    pin: _pin,
    validateArguments: _validate,
    ...life
  } = others
  const guards = guardsOf(entry.name, settings)
  const target =
    entry.server.kind === 'stdio'
      ? program(entry, entry.server, options)
      : remote(entry, entry.server, options)
  return {
    ...(timeouts.start === undefined ? {} : { startTimeout: timeouts.start }),
    ...(timeouts.call === undefined ? {} : { timeout: timeouts.call }),
    ...life,
    ...(maxChildren === undefined ? {} : { maxConnections: maxChildren }),
    ...(lazy === undefined ? {} : { warm: !lazy }),
    ...(prefix === undefined ? {} : { prefix: prefix === false ? '' : prefix }),
    tools: {
      // What the client would allow holds where anyport is told nothing else; what either denies is denied.
      allow: allow ?? tools.allow,
      deny: [...(tools.deny ?? []), ...(deny ?? [])],
      rename,
      describe,
    },
    ...guards,
    guards: [...(guards.guards ?? []), ...(options.guardsOf?.(entry) ?? [])],
    target,
  }
}

/** In the order in which guards stand around the whole: what is refused by limits costs least. */
function guardsOf(
  server: string,
  { rateLimit = [], maxConcurrent, rules }: ServerSettings,
): Pick<GatewayTarget, 'guards' | 'audienceOf'> {
  const isLimited = rateLimit.length > 0 || maxConcurrent !== undefined
  const compiled = rules === undefined ? undefined : accessRules(rules as unknown as readonly AccessRule[])
  return {
    guards: [
      ...(isLimited ? [limits({ rates: rateLimit.map(parseRateLimit), maxConcurrent })] : []),
      ...(compiled === undefined ? [] : [authorization({ rules: compiled, server })]),
    ],
    ...(compiled === undefined ? {} : { audienceOf: caller => compiled.classOf(caller) }),
  }
}

function program(entry: ServerEntry, server: StdioServer, options: ConfigServersOptions) {
  const { name } = entry
  const folder = dirname(options.file)
  const { command, args, cwd, env, envFile, inheritEnv } = server
  const path = (given: string) => {
    const home = /^~[\\/]/.test(given) ? resolve(homedir(), given.slice(2)) : given
    return isAbsolute(home) ? home : resolve(folder, home)
  }
  return connect(
    {
      command,
      args,
      env: envFile === undefined ? env : { ...readEnvFile(path(envFile)), ...env },
      ...(cwd === undefined ? {} : { cwd: path(cwd) }),
      ...(inheritEnv === undefined ? {} : { inheritEnv }),
      onStderr: line => options.onStderr?.(name, line),
      onLaunch: launch => options.onLaunch?.(name, launch),
    },
    limitsOf(entry, options),
  )
}

function remote(entry: ServerEntry, server: RemoteServer, options: ConfigServersOptions): RemoteTarget {
  const { url, transport } = server
  // References have their values by now: what still looks like one is meant as it is.
  const headers = { ...literalHeaders(server.headers), ...server.callerHeaders }
  const exchange = server.exchange && exchangeOf(server.exchange)
  const signIn = options.signIn === undefined ? undefined : signInOf(server, options.signIn)
  const authorizer = signIn === undefined ? undefined : oauth(url, signIn)
  return connectUrl(
    { ...options.http, url, transport, headers, authorizer, exchange },
    limitsOf(entry, options),
  )
}

/** That there is a client, the reading of the file has seen to. */
function exchangeOf({ clientId = '', ...rest }: TokenExchangeEntry): TokenExchangeOptions {
  return { clientId, ...rest }
}

function limitsOf({ name, settings }: ServerEntry, { limits = {} }: ConfigServersOptions) {
  const { maxMessage = limits.maxMessage, maxDepth } = { ...limits, ...settings }
  return {
    name,
    ...(maxMessage === undefined ? {} : { maxMessage }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
  }
}

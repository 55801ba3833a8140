/** A gateway over the servers of a configuration file, which follows the file. */

import { realpathSync } from 'node:fs'
import type { ServerEntry } from '../../config/server-entry.js'
import type { Middleware } from '../../exchange/exchange.js'
import { type GatewayTarget, gateway, type ServerGateway, type ServerGatewayOptions } from '../gateway.js'
import { type ConfigServersOptions, serverOf } from './config-servers.js'
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from './load-config.js'
import { type WatchFileOptions, watchForChanges } from './watch-file.js'

export type ConfigEvent =
  /** The file was read, first or again; `changed` are the names of servers, all of them at first. */
  | {
      readonly type: 'config-applied'
      readonly config: LoadedConfig
      readonly added: readonly string[]
      readonly replaced: readonly string[]
      readonly removed: readonly string[]
      /** Settings of the gateway itself, or of who may come in, are others now: they hold from the next start on. */
      readonly needsRestart: boolean
    }
  /** The file cannot be used as it is now: what it said before goes on. */
  | { readonly type: 'config-broken'; readonly file: string; readonly error: Error }

export interface ConfigGatewayOptions
  extends ServerGatewayOptions,
    Pick<ConfigServersOptions, 'limits' | 'http' | 'signIn' | 'onStderr' | 'onLaunch'> {
  /** What goes directly around each server, once the file is read. Default: nothing. */
  readonly guardsIn?:
    | ((config: LoadedConfig) => Promise<(entry: ServerEntry) => readonly Middleware[]>)
    | undefined
  readonly load: LoadConfigOptions
  /** Follows changes of the file. Default true. */
  readonly watch?: boolean | WatchFileOptions | undefined
  readonly onConfig?: ((event: ConfigEvent) => void) | undefined
}

export interface ConfigGateway {
  readonly gateway: ServerGateway
  /** The configuration as it is applied. */
  readonly config: () => LoadedConfig
  /** Reads the file again. Resolves once it is applied or told to be broken; never rejects. */
  reload(): Promise<void>
  /** Stops following the file, and all servers. */
  close(): Promise<void>
}

/**
 * Reads the file and makes the gateway. Options given here win over the file's. Rejects with `ConfigError` for what is wrong with
 * the file, with `TypeError` for a file that cannot be had or options that cannot work.
 */
export async function configGateway(options: ConfigGatewayOptions): Promise<ConfigGateway> {
  const {
    load,
    watch = true,
    onConfig = () => {},
    limits,
    http,
    signIn,
    onStderr,
    onLaunch,
    guardsIn,
    ...rest
  } = options
  let config = await loadConfig(load)
  const { file } = config
  // Settings of the whole hold from its start on.
  const guardsOf = await guardsIn?.(config)
  let closed = false
  const targets = (entries: readonly ServerEntry[]): [string, GatewayTarget][] => {
    const shared = { file, limits, http, signIn, onStderr, onLaunch, guardsOf }
    return entries.map(entry => [entry.name, serverOf(entry, shared)])
  }
  const opened = gateway(
    { servers: Object.fromEntries(targets(config.servers)) },
    { ...config.gateway, ...rest },
  )
  const added = config.servers.map(({ name }) => name)
  onConfig({ type: 'config-applied', config, added, replaced: [], removed: [], needsRestart: false })

  const apply = async () => {
    try {
      // The same file, wherever somebody has gone since.
      const next = await loadConfig({ ...load, file })
      const { set, ...change } = difference(config, next)
      const needsRestart =
        JSON.stringify([next.gateway, next.guards]) !== JSON.stringify([config.gateway, config.guards])
      opened.update({ set: Object.fromEntries(targets(set)), remove: change.removed })
      config = { ...next, gateway: config.gateway, guards: config.guards }
      onConfig({ type: 'config-applied', config, ...change, needsRestart })
    } catch (error) {
      if (closed) return
      onConfig({
        type: 'config-broken',
        file,
        error: error instanceof Error ? error : new Error(String(error)),
      })
    }
  }
  let applying = Promise.resolve()
  let again = false
  /** One after the other; what comes while one waits is covered by it. */
  const reload = (): Promise<void> => {
    if (again || closed) return applying
    again = true
    applying = applying.then(() => {
      again = false
      return closed ? undefined : apply()
    })
    return applying
  }
  const unwatch = watch === false ? () => {} : follow(file, () => void reload(), watch === true ? {} : watch)

  return {
    gateway: opened,
    config: () => config,
    reload,
    async close() {
      closed = true
      unwatch()
      await applying
      await opened.close()
    },
  }
}

/** Where the file is a link, what it leads to can change as well as the link. */
function follow(file: string, onChange: () => void, options: WatchFileOptions): () => void {
  const real = realpathSync(file)
  const stops = [...new Set([file, real])].map(path => watchForChanges(path, onChange, options))
  return () => {
    for (const stop of stops) stop()
  }
}

function difference(before: LoadedConfig, next: LoadedConfig) {
  const known = new Map(before.servers.map(entry => [entry.name, meaningOf(entry)]))
  const set = next.servers.filter(entry => known.get(entry.name) !== meaningOf(entry))
  const names = new Set(next.servers.map(({ name }) => name))
  return {
    set,
    added: set.flatMap(({ name }) => (known.has(name) ? [] : [name])),
    replaced: set.flatMap(({ name }) => (known.has(name) ? [name] : [])),
    removed: [...known.keys()].filter(name => !names.has(name)),
  }
}

/** What of an entry makes a difference to a running server: not where it stands. */
function meaningOf({ at: _place, description: _text, extras: _others, ...entry }: ServerEntry): string {
  return JSON.stringify(entry)
}

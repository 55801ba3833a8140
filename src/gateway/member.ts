import type { Handler } from '../exchange/exchange.js'
import type { Label } from './exposed-names.js'
import { type NameFilter, nameFilter } from './name-filter.js'

/** What of a server's tools or prompts is shown, and how. Names are the server's own. */
export interface Offer extends NameFilter {
  /** Other names for some, before any prefix. One that something else of the server has is not given. */
  readonly rename?: Readonly<Record<string, string>> | undefined
  /** Other descriptions for some. */
  readonly describe?: Readonly<Record<string, string>> | undefined
}

/** One server behind a gateway. */
export interface GatewayServer {
  readonly handler: Handler
  /** What its names begin with; empty for nothing. Default: its name. */
  readonly prefix?: string | undefined
  readonly tools?: Offer | undefined
  readonly prompts?: Offer | undefined
}

/** An {@link Offer} with its rules compiled. */
export interface Selection {
  readonly offers: (name: string) => boolean
  readonly renames: ReadonlyMap<string, string>
  readonly descriptions: ReadonlyMap<string, string>
  /** Names on either side of a rename. */
  readonly touched: ReadonlySet<string>
}

/** A server as the gateway holds it. Replacing the server makes another one of the same name. */
export interface Member {
  readonly name: string
  readonly label: Label
  readonly handler: Handler
  readonly tools: Selection
  readonly prompts: Selection
}

/** Throws `TypeError` for a name or options that cannot work. `filter` sees `SERVER/NAME`. */
export function member(
  name: string,
  given: Handler | GatewayServer,
  filter: (name: string) => boolean,
): Member {
  const server = typeof given === 'function' ? { handler: given } : given
  if (name === '' || name.length > MAX_NAME || /\p{Surrogate}/u.test(name))
    throw new TypeError(`servers: a name has 1 to ${MAX_NAME} characters, got ${JSON.stringify(name)}`)
  if (typeof server.handler !== 'function')
    throw new TypeError(`servers.${name}: expected a handler, got ${typeof server.handler}`)
  const { prefix = name, tools, prompts } = server as GatewayServer
  if (prefix !== '' && prefix !== name && !/^[A-Za-z0-9_-]{1,64}$/.test(prefix))
    throw new TypeError(
      `servers.${name}.prefix: expected up to 64 letters, digits, "_" or "-", got ${JSON.stringify(prefix)}`,
    )
  const within = (offer: Offer | undefined) =>
    selection(`servers.${name}`, offer, own => filter(`${name}/${own}`))
  return {
    name,
    label: { server: name, prefix },
    handler: server.handler,
    tools: within(tools),
    prompts: within(prompts),
  }
}

const MAX_NAME = 256

function selection(where: string, offer: Offer = {}, filter: (name: string) => boolean): Selection {
  const own = nameFilter(offer)
  const renames = new Map(Object.entries(offer.rename ?? {}))
  const targets = new Set(renames.values())
  for (const target of targets)
    if (typeof target !== 'string' || target === '') throw new TypeError(`${where}: a new name is empty`)
  if (targets.size < renames.size) throw new TypeError(`${where}: two are renamed to the same name`)
  return {
    offers: name => own(name) && filter(name),
    renames,
    descriptions: new Map(Object.entries(offer.describe ?? {})),
    touched: new Set([...renames.keys(), ...targets]),
  }
}

/** Whose a name or URI is. */

import type { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import type { Merged } from './audience.js'
import type { Audiences } from './audiences.js'
import type { Route } from './catalog.js'
import type { ListKind } from './events.js'
import type { Names } from './exposed-names.js'
import type { Members } from './members.js'
import { routeUri } from './resource-route.js'

export class Routes {
  readonly #members: Members
  readonly #names: Names
  readonly #audiences: Audiences

  constructor(members: Members, names: Names, audiences: Audiences) {
    this.#members = members
    this.#names = names
    this.#audiences = audiences
  }

  /** Where the form of the name tells: without any list, and the same for everybody. */
  byForm(kind: 'tools' | 'prompts', exposed: string): Route | undefined {
    if (this.#members.someAreBare) return undefined
    const split = this.#names.split(exposed)
    if (split === undefined) return undefined
    const [prefix, name] = split
    const member = this.#members.ofPrefix(prefix)
    if (member === undefined || member[kind].touched.has(name) || !member[kind].offers(name)) return undefined
    return this.#names.preferred(member.label, name) === exposed ? { member, name } : undefined
  }

  /** By the caller's list, where that is at hand. */
  byTable(
    kind: 'tools' | 'prompts',
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): Route | undefined {
    const known = this.#audiences.of(request, context).known(kind)
    return known instanceof Promise ? undefined : known.catalog.routes.get(name)
  }

  /** By the caller's lists. Rejects with `RpcError` INVALID_PARAMS for a name that is nobody's, or not one's alone. */
  async byName(
    kind: 'tools' | 'prompts',
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): Promise<Route> {
    const known = await this.known(kind, request, context)
    const route = known.catalog.routes.get(name)
    if (route !== undefined) return route
    // It may be new.
    const audience = this.#audiences.of(request, context)
    const fresh = await orCancelled(Promise.resolve(audience.list(kind)), context)
    const found = fresh.catalog.routes.get(name)
    if (found !== undefined) return found
    throw unknownName(kind, name, fresh)
  }

  /** By the caller's lists. Rejects with `RpcError` INVALID_PARAMS for a URI that is nobody's, or not one's alone. */
  async byUri(uri: string, request: JSONRPCRequest, context: Context): Promise<Route> {
    const [resources, templates] = await Promise.all([
      this.known('resources', request, context),
      this.known('templates', request, context),
    ])
    return routeUri(uri, resources.catalog, templates.catalog, name => this.#members.get(name))
  }

  /** The caller's list as it was last seen. */
  known(kind: ListKind, request: JSONRPCRequest, context: Context): Promise<Merged> {
    return orCancelled(Promise.resolve(this.#audiences.of(request, context).known(kind)), context)
  }
}

function unknownName(kind: 'tools' | 'prompts', name: string, { catalog, failing }: Merged): RpcError {
  const what = kind === 'tools' ? 'tool' : 'prompt'
  const instead = catalog.shared.get(name)
  if (instead !== undefined && instead.length > 0)
    return new RpcError(INVALID_PARAMS, `Several servers have a ${what} ${name}: use ${instead.join(' or ')}`)
  const silent =
    failing.size === 0 ? '' : ` (and ${[...failing.keys()].join(', ')} cannot be asked at the moment)`
  return new RpcError(INVALID_PARAMS, `Unknown ${what}: ${name}${silent}`)
}

/** All that a server defines, as different clients are shown it. */

import { type Caller, Context } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import { askOnce } from '../exchange/list-pages.js'
import {
  DEFINITION_KINDS,
  type DefinitionKind,
  LISTED_KINDS,
  LISTS,
} from '../middleware/exchange/definitions/kinds.js'
import { nameOfDefinition } from '../middleware/exchange/definitions/pins.js'
import { wholeList } from '../middleware/exchange/definitions/whole-list.js'
import { canonicalJson } from '../protocol/canonical-json.js'
import type { JSONObject } from '../protocol/message.js'
import { META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION } from '../protocol/meta.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import { LATEST_MODERN } from '../protocol/versions.js'

export interface CollectedDefinitions {
  /** Each different definition once; one without a name is left out, since nobody can use it. */
  readonly definitions: Readonly<Record<DefinitionKind, readonly JSONObject[]>>
  /** Names that one list has more than once. */
  readonly duplicates: readonly { readonly kind: DefinitionKind; readonly name: string }[]
}

/** Servers offer some tools only to clients that they can ask. */
const CLIENTS: readonly JSONObject[] = [
  {},
  { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } },
]

const CALLER: Caller = { binding: 'internal' }

/** Each list within so many milliseconds. Rejects with `RpcError` for what the server answers, with `TransportError` for what happens on the way. */
export async function collectDefinitions(
  handler: Handler,
  { clientInfo, limit }: { readonly clientInfo: JSONObject; readonly limit: number },
): Promise<CollectedDefinitions> {
  const found = new Map(DEFINITION_KINDS.map(kind => [kind, new Map<string, JSONObject>()]))
  const duplicates = new Map<string, { kind: DefinitionKind; name: string }>()
  for (const capabilities of CLIENTS) {
    const meta = {
      [META_PROTOCOL_VERSION]: LATEST_MODERN,
      [META_CLIENT_INFO]: clientInfo,
      [META_CLIENT_CAPABILITIES]: capabilities,
    }
    const { instructions } = await discover(handler, meta, limit)
    if (typeof instructions === 'string' && instructions !== '')
      found.get('instructions')?.set(canonicalJson({ instructions }), { instructions })
    for (const kind of LISTED_KINDS) {
      const names = new Set<string>()
      for (const definition of await wholeList(handler, kind, { caller: CALLER, meta }, limit)) {
        const name = nameOfDefinition(kind, definition)
        if (name === undefined) continue
        if (names.size === names.add(name).size)
          duplicates.set(`${LISTS[kind].field} ${name}`, { kind, name })
        found.get(kind)?.set(canonicalJson(definition), definition)
      }
    }
  }
  return {
    definitions: Object.fromEntries(
      DEFINITION_KINDS.map(kind => [kind, [...(found.get(kind)?.values() ?? [])]]),
    ) as unknown as Record<DefinitionKind, readonly JSONObject[]>,
    duplicates: [...duplicates.values()],
  }
}

async function discover(handler: Handler, meta: JSONObject, limit: number): Promise<JSONObject> {
  const context = new Context(CALLER)
  const timer = setTimeout(() => context.cancel('timeout'), limit)
  try {
    return await askOnce(handler, METHOD_DISCOVER, { _meta: meta }, context)
  } finally {
    clearTimeout(timer)
  }
}

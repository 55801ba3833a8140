/** What each side may do, across the eras. Schema 2026-07-28 `ClientCapabilities`, `ServerCapabilities`. */

import type { JSONObject } from '../protocol/message.js'
import { type ClientCapabilities, isObject } from '../protocol/meta.js'
import { METHOD_ELICIT, METHOD_LIST_ROOTS, METHOD_SAMPLE } from '../protocol/methods.js'

/** Extensions whose wire format differs between the eras (SEP-2663): hidden from both sides. */
const ERA_BOUND_EXTENSIONS = ['io.modelcontextprotocol/tasks']

/** True where a server may ask this client something, so that its calls need a connection of their own. */
export function canBeAsked(capabilities: ClientCapabilities): boolean {
  return (
    capabilities.sampling !== undefined ||
    capabilities.elicitation !== undefined ||
    capabilities.roots !== undefined
  )
}

const fingerprints = new WeakMap<object, string>()

/** Equal for capabilities that mean the same, whatever the order of their keys. */
export function fingerprint(capabilities: ClientCapabilities): string {
  let print = fingerprints.get(capabilities)
  if (print === undefined) {
    print = canonicalJson(capabilities)
    fingerprints.set(capabilities, print)
  }
  return print
}

/** JSON with sorted keys. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const members = Object.keys(value)
    .filter(key => value[key] !== undefined)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonicalJson(value[key])}`)
  return `{${members.join(',')}}`
}

/** The capabilities as the other era may see them: without what only this era means. */
export function translatedCapabilities(capabilities: JSONObject): JSONObject {
  const { tasks: _tasks, ...rest } = capabilities as Record<string, unknown>
  // Changes of roots are never announced across the eras, so nobody may be told to wait for them.
  if (isObject(rest.roots) && 'listChanged' in rest.roots) {
    const { listChanged: _listChanged, ...roots } = rest.roots
    rest.roots = roots
  }
  if (!isObject(rest.extensions)) return rest
  const extensions = Object.fromEntries(
    Object.entries(rest.extensions).filter(([name]) => !ERA_BOUND_EXTENSIONS.includes(name)),
  )
  const { extensions: _extensions, ...others } = rest
  return Object.keys(extensions).length === 0 ? others : { ...others, extensions }
}

/**
 * The capabilities that a question needs and the client did not declare, in the shape of
 * `MissingRequiredClientCapabilityError.data.requiredCapabilities`; undefined where it may be asked.
 */
export function missingCapabilities(
  method: string,
  params: JSONObject | undefined,
  capabilities: ClientCapabilities,
): ClientCapabilities | undefined {
  switch (method) {
    case METHOD_LIST_ROOTS:
      return capabilities.roots === undefined ? { roots: {} } : undefined
    case METHOD_SAMPLE: {
      const needed: Record<string, JSONObject> = {}
      if (params?.tools !== undefined || params?.toolChoice !== undefined) needed.tools = {}
      const declared = capabilities.sampling
      if (declared === undefined) return { sampling: needed }
      return Object.keys(needed).some(key => declared[key] === undefined) ? { sampling: needed } : undefined
    }
    case METHOD_ELICIT: {
      const declared = capabilities.elicitation
      if (params?.mode === 'url')
        return declared?.url === undefined ? { elicitation: { url: {} } } : undefined
      // An empty object declares the form mode (2026-07-28 client/elicitation, "Capabilities").
      const form = declared !== undefined && (declared.form !== undefined || declared.url === undefined)
      return form ? undefined : { elicitation: { form: {} } }
    }
    default:
      return {}
  }
}

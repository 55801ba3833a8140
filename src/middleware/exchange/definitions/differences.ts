import { canonicalJson } from '../../../protocol/canonical-json.js'
import { isObject } from '../../../protocol/meta.js'

/** One member that is another, has come, or has gone. */
export interface Difference {
  /** `inputSchema.properties.path.description`; `[0]` for an item of a list. */
  readonly path: string
  /** Undefined where there was none. */
  readonly before: unknown
  /** Undefined where there is none. */
  readonly after: unknown
}

/** Differences that are told; what is beyond is as different. */
const MAX_DIFFERENCES = 100

/** What makes two definitions different, member by member; empty where they mean the same. */
export function differences(before: unknown, after: unknown): readonly Difference[] {
  const found: Difference[] = []
  compare(before, after, '', found)
  return found
}

function compare(before: unknown, after: unknown, path: string, found: Difference[]): void {
  if (found.length >= MAX_DIFFERENCES) return
  if (isObject(before) && isObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const [one, other] = [ownOf(before, key), ownOf(after, key)]
      const inner = /^[\w$-]+$/.test(key) ? key : JSON.stringify(key)
      compare(one, other, path === '' ? inner : `${path}.${inner}`, found)
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++)
      compare(before[index], after[index], `${path}[${index}]`, found)
  } else if (before === undefined || after === undefined || canonicalJson(before) !== canonicalJson(after)) {
    if (before !== after) found.push({ path, before, after })
  }
}

function ownOf(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

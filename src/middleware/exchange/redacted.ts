/** Names of arguments whose values nobody else should see. */
export const SECRET_NAMES: readonly string[] = [
  '*password*',
  '*passwd*',
  '*passphrase*',
  '*secret*',
  '*token*',
  '*api?key*',
  '*apikey*',
  '*authorization*',
  '*cookie*',
  '*credential*',
  '*private?key*',
  '*privatekey*',
]

const MAX_DEPTH = 32

/**
 * A copy in which values under the names that match are replaced, at any depth. Names are compared in lower case; text that is too
 * long is cut.
 */
export function redacted(value: unknown, isSecret: (name: string) => boolean, maxText = 1_024): unknown {
  const copy = (part: unknown, depth: number): unknown => {
    if (typeof part === 'string')
      return part.length > maxText ? `${part.slice(0, maxText)}… (${part.length} characters)` : part
    if (typeof part !== 'object' || part === null) return part
    if (depth >= MAX_DEPTH) return '[too deep]'
    if (Array.isArray(part)) return part.map(item => copy(item, depth + 1))
    // Not by assignment: a key `__proto__` would be lost, or do something.
    return Object.fromEntries(
      Object.entries(part).map(([name, item]) => [
        name,
        isSecret(name.toLowerCase()) ? '[redacted]' : copy(item, depth + 1),
      ]),
    )
  }
  return copy(value, 0)
}

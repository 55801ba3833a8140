/**
 * JSON in one spelling: no spaces, members in the order of their names' UTF-16 code units (RFC 8785, "Sorting of Object
 * Properties"). Values that mean the same have the same text.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = value as Readonly<Record<string, unknown>>
  const written = Object.keys(members)
    .filter(key => members[key] !== undefined)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonicalJson(members[key])}`)
  return `{${written.join(',')}}`
}

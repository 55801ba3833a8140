/**
 * About how many characters a value has as JSON: escapes are not counted. Text counts without being looked at, which makes it cheap
 * where encoding would be the price of a second answer.
 */
export function jsonSize(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return value.length + 2
    case 'number':
      return Number.isFinite(value) ? String(value).length : 4
    case 'boolean':
      return value ? 4 : 5
    case 'object':
      break
    default:
      return 0
  }
  if (value === null) return 4
  // Brackets and what stands between.
  let size = 1
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) size += jsonSize(value[index]) + 1
    return Math.max(2, size)
  }
  for (const key in value) {
    const item = (value as Readonly<Record<string, unknown>>)[key]
    if (item !== undefined) size += key.length + jsonSize(item) + 4
  }
  return Math.max(2, size)
}

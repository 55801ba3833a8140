let second = Number.NaN
let secondText = ''
let last = Number.NaN
let lastText = ''

/**
 * Milliseconds since 1970 as ISO 8601. Most calls begin in the same second as the one before, many in the same millisecond, and formatting
 * a date costs as much as encoding a record.
 */
export function isoOf(time: number): string {
  if (time === last) return lastText
  const milliseconds = Math.floor(time % 1_000)
  const whole = time - (time % 1_000)
  if (whole !== second) {
    second = whole
    secondText = new Date(second).toISOString().slice(0, -4)
  }
  last = time
  lastText = `${secondText}${String(milliseconds).padStart(3, '0')}Z`
  return lastText
}

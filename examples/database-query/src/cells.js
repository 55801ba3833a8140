/** What PostgreSQL writes, as JSON: numbers where nothing is lost, JSON as it is, and all else as PostgreSQL writes it. */

const BOOLEAN = 16
const INTEGERS = new Set([20, 21, 23, 26])
const FLOATS = new Set([700, 701])
const JSON_TYPES = new Set([114, 3802])
/** More digits than a JSON number of everybody keeps. */
const LONG_NUMBER = /\d{16}/

/**
 * @param {string | null} text
 * @param {number} type its OID
 * @returns {unknown}
 */
export function cell(text, type) {
  if (text === null) return null
  if (type === BOOLEAN) return text === 't'
  if (INTEGERS.has(type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text
  if (FLOATS.has(type)) return Number.isFinite(Number(text)) ? Number(text) : text
  if (JSON_TYPES.has(type) && !LONG_NUMBER.test(text)) return JSON.parse(text)
  return text
}

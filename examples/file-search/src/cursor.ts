/** Where a page ended. It is kept by the client, and trusted with nothing: it only says after what the next page begins. */

import { createHash } from 'node:crypto'
import { Refusal } from './refusal.js'

/** A cursor belongs to a question: with another one it would leave results out. */
export function writeCursor(question: unknown, after: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([hashOf(question), ...after])).toString('base64url')
}

export function readCursor(question: unknown, cursor: string): readonly (string | number)[] {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    // Said below.
  }
  if (!Array.isArray(parts) || !parts.every(part => ['string', 'number'].includes(typeof part)))
    throw new Refusal('That is no cursor of this server.')
  if (parts[0] !== hashOf(question))
    throw new Refusal('That cursor belongs to another search: repeat all other arguments as they were.')
  return parts.slice(1)
}

function hashOf(question: unknown): string {
  return createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 12)
}

/**
 * Forty bits of a text as eight characters of `0-9a-v`, the same everywhere and for ever: FNV-1a over UTF-8. It only tells names
 * apart, and what happens to two names with the same hash is a rule of `exposed-names.ts`.
 */
export function shortHash(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of encoder.encode(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK
  // Folded, since the low bits of FNV know little of the last bytes.
  const folded = (hash ^ (hash >> 40n)) & FORTY_BITS
  return folded.toString(32).padStart(8, '0')
}

const MASK = (1n << 64n) - 1n
const FORTY_BITS = (1n << 40n) - 1n

const encoder = new TextEncoder()

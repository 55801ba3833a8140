/**
 * The chain of an audit log. Lines are written in groups, and the last of each group ends with a digest over the whole group and the digest
 * of the group before. A group of one line, which is what earlier versions wrote, is no exception.
 */

import { createHash, createHmac } from 'node:crypto'

/** Before the first group of all. */
export const CHAIN_START = '0'.repeat(64)

/** Digest of a group: its lines, without the line end and the digest of the last. With a key, nobody else can make one. */
export function chainOf(previous: string, group: string | Uint8Array, key: string | undefined): string {
  const digest = key === undefined ? createHash('sha256') : createHmac('sha256', key)
  return digest.update(`${previous}\n`).update(group).digest('hex')
}

/** What ends the last line of a group, after its body without the brace. */
export function seal(chain: string): string {
  return `,"chain":"${chain}"}\n`
}

/** The last line of a group taken apart; undefined for any other line. */
export function splitLine(line: string): { readonly body: string; readonly chain: string } | undefined {
  const at = line.length - SEAL_LENGTH
  if (at < 0 || !line.startsWith(',"chain":"', at)) return undefined
  const chain = line.slice(at + 10, -2)
  return line.endsWith('"}') && /^[0-9a-f]{64}$/.test(chain)
    ? { body: `${line.slice(0, at)}}`, chain }
    : undefined
}

/** Without the line end. */
const SEAL_LENGTH = seal(CHAIN_START).length - 1

/** The number of a line, with or without its digest; undefined where it is no record. */
export function sequenceOf(line: string): number | undefined {
  try {
    const { seq } = JSON.parse(line) as { readonly seq?: unknown }
    return typeof seq === 'number' ? seq : undefined
  } catch {
    return undefined
  }
}

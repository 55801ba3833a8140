/** The chain of an audit log: each line ends with a digest over itself and the line before. */

import { createHmac, hash } from 'node:crypto'

/** Before the first line of all. */
export const CHAIN_START = '0'.repeat(64)

/** With a key, nobody who can only write the file can make a chain that fits. */
export function chainOf(previous: string, body: string, key: string | undefined): string {
  const link = `${previous}\n${body}`
  return key === undefined ? hash('sha256', link) : createHmac('sha256', key).update(link).digest('hex')
}

export function chainedLine(body: string, chain: string): string {
  return `${body.slice(0, -1)},"chain":"${chain}"}\n`
}

/** What was chained, of a line without its end; undefined for a line of another kind. */
export function splitLine(line: string): { readonly body: string; readonly chain: string } | undefined {
  const [, start, chain] = /^(\{.*),"chain":"([0-9a-f]{64})"\}$/s.exec(line) ?? []
  return start === undefined || chain === undefined ? undefined : { body: `${start}}`, chain }
}

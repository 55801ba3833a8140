/** Which of a server's tools or prompts are offered at all. */

import { matchesGlob } from '../exchange/glob.js'

export interface NameFilter {
  /** Only what matches one of these is offered: `*` stands for any characters, `?` for one. Default: everything. */
  readonly allow?: readonly string[] | undefined
  /** What matches one of these is never offered, whatever `allow` says. */
  readonly deny?: readonly string[] | undefined
}

/** Throws `TypeError` for patterns that cannot match. */
export function nameFilter({ allow, deny = [] }: NameFilter = {}): (name: string) => boolean {
  for (const pattern of [...(allow ?? []), ...deny]) {
    if (typeof pattern !== 'string' || pattern === '')
      throw new TypeError(
        `allow and deny: expected patterns such as "read_*", got ${JSON.stringify(pattern)}`,
      )
  }
  if (allow === undefined && deny.length === 0) return () => true
  return name =>
    (allow === undefined || allow.some(pattern => matchesGlob(pattern, name))) &&
    !deny.some(pattern => matchesGlob(pattern, name))
}

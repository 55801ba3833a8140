/** Whether an audit log is as it was written. */

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { CHAIN_START, chainOf, sequenceOf, splitLine } from './audit-chain.js'
import { fullFiles } from './audit-files.js'

export interface AuditVerdict {
  /** Lines that fit. */
  readonly records: number
  /** The number and digest of the last line that fits: whoever noted them elsewhere can tell whether lines were cut off since. */
  readonly last: { readonly sequence: number; readonly chain: string } | undefined
  /** The number of the first record, where that is not 1: those before were deleted. */
  readonly first: number | undefined
  /** The first line that does not fit, or the first of the lines among which it is. */
  readonly broken: { readonly file: string; readonly line: number; readonly why: string } | undefined
}

/** Reads a log with all its full files. Rejects with the error of the file system for what cannot be read. */
export async function verifyAudit(file: string, key?: string): Promise<AuditVerdict> {
  const chain = new Chain(key)
  for (const path of [...(await fullFiles(file)), file]) {
    let line = 0
    for await (const text of createInterface({
      input: createReadStream(path),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      const broken = chain.take(text, path, ++line)
      if (broken !== undefined) return chain.verdict(broken)
    }
    const broken = chain.end(path, line)
    if (broken !== undefined) return chain.verdict(broken)
  }
  return chain.verdict(undefined)
}

type Broken = NonNullable<AuditVerdict['broken']>

/** More than any group has: a file without line ends, or without digests, must not fill the memory. */
const MAX_GROUP = 64 * 1024 * 1024

class Chain {
  readonly #key: string | undefined
  #records = 0
  #first: number | undefined
  #last: AuditVerdict['last']
  /** The lines of a group whose end has not come. */
  #group: string[] = []
  #groupLength = 0
  #sequence: number | undefined

  constructor(key: string | undefined) {
    this.#key = key
  }

  /** Reads one more line. Returns what does not fit. */
  take(text: string, file: string, line: number): Broken | undefined {
    const broken = (why: string, at = line): Broken => ({ file, line: at, why })
    const end = splitLine(text)
    const body = end?.body ?? text
    const sequence = sequenceOf(body)
    const before = this.#group.length
    if (sequence === undefined) return broken('it is not a record')
    const expected = this.#sequence === undefined ? undefined : this.#sequence + 1
    if (expected !== undefined && sequence !== expected)
      return broken(`it is number ${sequence}, after ${this.#sequence}`)
    this.#sequence = sequence
    if (this.#last === undefined && before === 0 && sequence !== 1) this.#first = sequence
    this.#group.push(body)
    this.#groupLength += body.length
    if (end === undefined)
      return this.#groupLength > MAX_GROUP ? broken('no digest follows', line - before) : undefined
    const group = this.#group.join('\n')
    const previous = this.#last?.chain ?? (this.#first === undefined ? CHAIN_START : afterOf(body))
    if (previous !== undefined && chainOf(previous, group, this.#key) !== end.chain) {
      const why = 'was changed, or the one before was, or the key is another one'
      return broken(
        before === 0 ? `it ${why}` : `one of lines ${line - before} to ${line} ${why}`,
        line - before,
      )
    }
    this.#records += this.#group.length
    this.#last = { sequence, chain: end.chain }
    this.#group = []
    this.#groupLength = 0
    return undefined
  }

  /** A group does not go on in the next file. Returns what does not fit. */
  end(file: string, lines: number): Broken | undefined {
    const open = this.#group.length
    if (open === 0) return undefined
    const why =
      'the digest after it is missing: a write was cut short or is under way, or lines were added or cut off'
    return { file, line: lines - open + 1, why }
  }

  verdict(broken: Broken | undefined): AuditVerdict {
    return { records: this.#records, first: this.#first, last: this.#last, broken }
  }
}

/** What the first group of a file says that it follows. Without, there is nothing that its digest could be compared with. */
function afterOf(body: string): string | undefined {
  const { after } = JSON.parse(body) as { readonly after?: unknown }
  return typeof after === 'string' ? after : undefined
}

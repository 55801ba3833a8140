/** Whether an audit log is as it was written. */

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { CHAIN_START, chainOf, splitLine } from './audit-chain.js'
import { fullFiles } from './audit-log.js'

export interface AuditVerdict {
  /** Lines that were read. */
  readonly records: number
  /** The number and digest of the last line that fits: whoever noted them elsewhere can tell whether lines were cut off since. */
  readonly last: { readonly sequence: number; readonly chain: string } | undefined
  /** The number of the first record, where that is not 1: those before were deleted. */
  readonly first: number | undefined
  /** The first line that does not fit. */
  readonly broken: { readonly file: string; readonly line: number; readonly why: string } | undefined
}

/** Reads a log with all its full files. Rejects with the error of the file system for what cannot be read. */
export async function verifyAudit(file: string, key?: string): Promise<AuditVerdict> {
  let records = 0
  let first: number | undefined
  let last: AuditVerdict['last']
  for (const path of [...(await fullFiles(file)), file]) {
    let line = 0
    for await (const text of createInterface({
      input: createReadStream(path),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      line++
      const broken = (why: string): AuditVerdict => ({
        records,
        first,
        last,
        broken: { file: path, line, why },
      })
      const parts = splitLine(text)
      if (parts === undefined) return broken('it is not a record')
      const sequence = sequenceOf(parts.body)
      if (sequence === undefined) return broken('it has no number')
      if (last === undefined && sequence !== 1) {
        // Nothing is left that its digest could be compared with.
        first = sequence
      } else {
        if (sequence !== (last?.sequence ?? 0) + 1)
          return broken(`it is number ${sequence}, after ${last?.sequence ?? 0}`)
        if (chainOf(last?.chain ?? CHAIN_START, parts.body, key) !== parts.chain)
          return broken('it, or the one before, was changed, or the key is another one')
      }
      last = { sequence, chain: parts.chain }
      records++
    }
  }
  return { records, first, last, broken: undefined }
}

function sequenceOf(body: string): number | undefined {
  try {
    const { seq } = JSON.parse(body) as { readonly seq?: unknown }
    return typeof seq === 'number' ? seq : undefined
  } catch {
    return undefined
  }
}

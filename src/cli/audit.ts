/** The command `anyport audit`. */

import { verifyAudit } from '../node/audit/verify-audit.js'
import { flag, parseArguments, text, UsageError, value } from './arguments.js'
import { auditKeyOfEnvironment } from './governing.js'
import type { CommandSpec } from './help.js'

const OPTIONS = {
  expect: value('Digest of a line that must be the last: tells whether lines were cut off', text, {
    metavar: 'DIGEST',
  }),
  json: flag('Print the verdict as JSON'),
} as const

export const AUDIT: CommandSpec = {
  usage: ['anyport audit verify FILE [options]'],
  summary: 'Tells whether an audit log, with all its full files, is as it was written.',
  examples: [['has anybody changed it?', 'anyport audit verify audit.jsonl']],
  notes: [
    'The exit code is 1 where it does not fit. A log that was written with ANYPORT_AUDIT_KEY needs the same here.',
  ],
  options: OPTIONS,
}

export async function auditCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals } = parseArguments(OPTIONS, argv)
  const [action, file, ...others] = positionals
  if (action !== 'verify' || file === undefined || others.length > 0)
    throw new UsageError('Write: anyport audit verify FILE')
  let verdict: Awaited<ReturnType<typeof verifyAudit>>
  try {
    verdict = await verifyAudit(file, auditKeyOfEnvironment())
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`)
  }
  const { records, first, last, broken } = verdict
  const isCut = options.expect !== undefined && last?.chain !== options.expect
  if (options.json)
    process.stdout.write(`${JSON.stringify({ ok: broken === undefined && !isCut, ...verdict })}\n`)
  else {
    if (broken !== undefined) process.stdout.write(`${broken.file}, line ${broken.line}: ${broken.why}\n`)
    if (isCut)
      process.stdout.write('The last line is another one: lines are missing at the end, or were added\n')
    const start = first === undefined ? '' : `, from number ${first} on: those before were deleted`
    process.stdout.write(`${records} records fit${start}\n`)
    if (last !== undefined) process.stdout.write(`last: number ${last.sequence}, ${last.chain}\n`)
  }
  return broken === undefined && !isCut ? 0 : 1
}

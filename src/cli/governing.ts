/** The words of the command line about what callers may do, as the library takes them. */

import type { AuditEvent } from '../node/audit/audit-log.js'
import type { Governing } from '../node/govern.js'
import type { Log } from '../node/log.js'
import { type ParsedArguments, UsageError } from './arguments.js'
import type { WithFile } from './file-guards.js'
import type { SERVE_OPTIONS } from './serve-options.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>

/** Undefined where nothing is asked for. Throws `UsageError`. */
export async function openGoverning(
  { options, given }: Parsed,
  many: boolean,
  log: Log,
  inFile: WithFile['inFile'] = {},
): Promise<Governing | undefined> {
  const { audit } = options
  if (audit === undefined)
    for (const name of given) if (name.startsWith('audit-')) throw new UsageError(`--${name} is for --audit`)
  const isLimited = options['rate-limit'].length > 0 || options['max-concurrent'] !== undefined
  const ruled = options.rules !== undefined || inFile.rules !== undefined
  if (!isLimited && audit === undefined && !ruled) return undefined
  // Most servers go without.
  const { govern, readRules } = await import('../node/govern.js')
  try {
    const rules = options.rules === undefined ? inFile.rules : readRules(options.rules)
    return await govern({
      many,
      ...(isLimited
        ? { limits: { rates: options['rate-limit'], maxConcurrent: options['max-concurrent'] } }
        : {}),
      ...(rules === undefined ? {} : { rules }),
      ...(audit === undefined
        ? {}
        : {
            audit: {
              file: audit,
              withArguments: options['audit-arguments'],
              redact: options['audit-redact'],
              refusals: options['audit-refusals'],
              durable: options['audit-durable'],
              onFailure: options['audit-on-failure'],
              maxSize: options['audit-max-size'],
              keep: options['audit-keep'],
              key: auditKeyOfEnvironment() ?? inFile.auditKey,
              onEvent: event => logAuditEvent(log, event),
            },
          }),
    })
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

/** Not an option: others can see command lines. */
export function auditKeyOfEnvironment(): string | undefined {
  const key = process.env.ANYPORT_AUDIT_KEY
  if (key === undefined || key === '') return undefined
  if (key.length < 16) throw new UsageError('ANYPORT_AUDIT_KEY: the secret must have at least 16 characters')
  return key
}

function logAuditEvent(log: Log, event: AuditEvent): void {
  switch (event.type) {
    case 'audit-failed':
      log.error('audit_failed', `The audit log cannot be written: ${event.error.message}`, {
        calls: event.onFailure === 'block' ? 'refused' : 'not recorded',
        option: '--audit-on-failure',
      })
      break
    case 'audit-recovered':
      log.warn('audit_recovered', 'The audit log can be written again', { lost: event.lost })
      break
    case 'audit-torn':
      log.warn(
        'audit_torn',
        'The last lines of the audit log were not written to their end, and were cut off',
        {
          bytes: event.bytes,
          records: event.records,
        },
      )
  }
}

/** The guards of a server, in the order in which they belong around each other. */

import { readFileSync } from 'node:fs'
import type { Caller } from '../exchange/context.js'
import { compose, type Middleware } from '../exchange/exchange.js'
import type { RefusedConnection } from '../exchange/refused-connection.js'
import { type AccessRule, type AccessRules, accessRules } from '../middleware/exchange/access-rules.js'
import { audit, namedServer } from '../middleware/exchange/audit.js'
import { authorization } from '../middleware/exchange/authorization.js'
import { boundedRefusals } from '../middleware/exchange/bounded-refusals.js'
import { type LimitOptions, limits } from '../middleware/exchange/limits.js'
import { connectionRecord, refusalRecord } from '../middleware/exchange/refusal-record.js'
import { isObject } from '../protocol/meta.js'
import type { HttpFaceOptions } from '../transport/http-face.js'
import { type AuditLogOptions, auditLog } from './audit/audit-log.js'

export interface GovernOptions {
  readonly limits?: LimitOptions | undefined
  /** Who may use what. Default: everybody everything. */
  readonly rules?: readonly AccessRule[] | undefined
  readonly audit?:
    | (AuditLogOptions & {
        readonly withArguments?: boolean | undefined
        readonly redact?: readonly string[] | undefined
        /**
         * `bounded`: where callers that are not known are refused very often, only some of the refusals have a record of their own, and
         * the others are counted; so nobody outside can fill the disk. `all`: each has its own. Default `bounded`.
         */
        readonly refusals?: 'bounded' | 'all' | undefined
      })
    | undefined
  /** Many servers: rules hold for each of them, by its name. Default false. */
  readonly many?: boolean | undefined
}

export interface Governing {
  /** For `guards` of `serve`. */
  readonly guards: readonly Middleware[]
  /** For `around` of `gateway`. */
  readonly around: (server: string) => Middleware
  /** For `audienceOf` of `gateway`: callers to whom the same rules apply see the same lists. */
  readonly audienceOf: ((caller: Caller) => string) | undefined
  /** For `onRefused` of `serve`. */
  readonly onRefused: HttpFaceOptions['onRefused']
  /** For `onRefusedConnection` of `serve`. */
  readonly onRefusedConnection: ((refused: RefusedConnection) => void) | undefined
  /** Writes what is still to be recorded. */
  close(): Promise<void>
}

/** Throws `TypeError` for options that cannot work. */
export async function govern(options: GovernOptions): Promise<Governing> {
  const rules = options.rules === undefined ? undefined : accessRules(options.rules)
  const limit = options.limits === undefined ? [] : [limits(options.limits)]
  const log = options.audit === undefined ? undefined : await auditLog(options.audit)
  const { withArguments, redact, refusals = 'bounded' } = options.audit ?? {}
  const bounded = log === undefined || refusals === 'all' ? undefined : boundedRefusals(log)
  const sink = bounded ?? log
  const record = sink === undefined ? [] : [audit({ sink, withArguments, redact })]
  const perServer = rules === undefined || options.many ? [] : [authorization({ rules })]
  return {
    // What the limits refuse is on record, too.
    guards: [...record, ...limit, ...perServer],
    around: server => aroundServer(server, rules),
    audienceOf: rules === undefined ? undefined : caller => rules.classOf(caller),
    onRefused:
      sink === undefined
        ? undefined
        : (request, reply, duration) => void sink.write(refusalRecord(request, reply, duration)),
    onRefusedConnection:
      sink === undefined ? undefined : refused => void sink.write(connectionRecord(refused)),
    close: async () => {
      bounded?.flush()
      await log?.close()
    },
  }
}

function aroundServer(server: string, rules: AccessRules | undefined): Middleware {
  const name = namedServer(server)
  if (rules === undefined) return name
  return next => compose(next, name, authorization({ rules, server }))
}

/** `{ "rules": [...] }`. Throws `TypeError` that names the file. */
export function readRules(file: string): readonly AccessRule[] {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new TypeError(`The rules ${file} cannot be read: ${(error as Error).message}`)
  }
  if (
    !isObject(content) ||
    !Array.isArray(content.rules) ||
    Object.keys(content).some(key => key !== 'rules')
  )
    throw new TypeError(`The rules ${file}: expected an object with a list "rules", and nothing else`)
  try {
    accessRules(content.rules as AccessRule[])
  } catch (error) {
    throw new TypeError(`The rules ${file}: ${(error as Error).message}`)
  }
  return content.rules as AccessRule[]
}

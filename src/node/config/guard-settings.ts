/** Who may come in and what callers may do, as a configuration says it: checked, with a place for each mistake. */

import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { GuardEntry, GuardKey } from '../../config/guard-settings.js'
import type { Problem } from '../../config/problem.js'
import { type Resolver, textResolver } from '../../config/resolve.js'
import type { Place, Template } from '../../config/template.js'
import { parseDuration, parseSize } from '../../config/units.js'
import type { AccessRule } from '../../middleware/exchange/access-rules.js'
import { parseRateLimit, type RateLimit } from '../../middleware/exchange/rate-limit.js'
import { addressSet } from '../../middleware/http/address-rules.js'
import { secureUrl } from '../../middleware/http/bounded-json.js'
import { originTest } from '../../middleware/http/cors.js'
import { hostGuard } from '../../middleware/http/host-guard.js'
import { originGuard } from '../../middleware/http/origin-guard.js'
import { checkRule } from './value-checks.js'

/** The options of `anyport serve` of the same names. Paths are absolute, times milliseconds, sizes bytes. */
export interface GuardSettings {
  readonly publicUrl?: string
  readonly keys?: string
  readonly authIssuer?: string
  readonly authAudience?: readonly string[]
  readonly authScope?: readonly string[]
  readonly authJwks?: string
  readonly authAlgorithm?: readonly string[]
  readonly authClockSkew?: number
  readonly authIntrospection?: string
  readonly authClientId?: string
  readonly authClientSecret?: string
  readonly tls?: 'self-signed'
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsClientCa?: string
  readonly cors?: readonly string[]
  readonly allowOrigin?: readonly string[]
  readonly allowHost?: readonly string[]
  readonly allowAddress?: readonly string[]
  readonly denyAddress?: readonly string[]
  readonly trustProxy?: readonly string[]
  readonly proxyHeaders?: 'x-forwarded' | 'forwarded'
  readonly allowUnauthenticated?: boolean
  readonly maxBody?: number
  readonly maxDepth?: number
  readonly requestTimeout?: number
  readonly maxHeaderSize?: number
  readonly maxHeaders?: number
  readonly maxClients?: number
  readonly maxClientsPerAddress?: number
  readonly rateLimit?: readonly RateLimit[]
  readonly maxConcurrent?: number
  /** The rules themselves, or the file that has them. */
  readonly rules?: readonly AccessRule[] | string
  readonly audit?: string
  readonly auditArguments?: boolean
  readonly auditRedact?: readonly string[]
  readonly auditDurable?: boolean
  readonly auditOnFailure?: 'block' | 'continue'
  readonly auditRefusals?: 'bounded' | 'all'
  readonly auditMaxSize?: number
  readonly auditKeep?: number
  readonly auditKey?: string
  readonly dashboard?: boolean
  readonly dashboardAllow?: readonly string[]
  readonly dashboardArguments?: boolean
}

export interface ResolvedGuards {
  readonly guards: GuardSettings
  readonly problems: readonly Problem[]
}

/** The references of the entries, for those who ask for inputs. */
export function templatesOf(entries: readonly GuardEntry[]): readonly Template[] {
  return entries.flatMap(({ value }) => (Array.isArray(value) ? value.map(({ text }) => text) : []))
}

/** Never throws, and no problem shows a value that may be secret. */
export function resolveGuards(
  file: string,
  entries: readonly GuardEntry[],
  resolver: Resolver,
): ResolvedGuards {
  const problems: Problem[] = []
  const guards: Record<string, unknown> = {}
  for (const { key, at, value } of entries) {
    if (typeof value !== 'object') guards[key] = value
    else if ('rules' in value)
      guards[key] = value.rules.map(({ at: place, rule }) =>
        parsed(key, place, problems, () => {
          checkRule(rule)
          return rule
        }),
      )
    else {
      const text = textResolver(`anyport: ${key}`, at, resolver, problems)
      const before = problems.length
      const texts = value.map(item => ({ at: item.at, text: text(item.text) }))
      // What has no value is said already.
      if (problems.length > before) continue
      const values = texts.map(item =>
        parsed(key, item.at, problems, () => valueOfText(key, item.text, file)),
      )
      guards[key] = LISTS.has(key) ? values : values[0]
    }
  }
  return { guards: guards as GuardSettings, problems }
}

const LISTS = new Set<GuardKey>([
  ...(['authAudience', 'authScope', 'authAlgorithm', 'cors', 'allowOrigin', 'allowHost'] as const),
  ...(['allowAddress', 'denyAddress', 'trustProxy', 'rateLimit', 'auditRedact', 'dashboardAllow'] as const),
])

function parsed(key: GuardKey, place: Place, problems: Problem[], parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    problems.push({ severity: 'error', place, message: `anyport: ${key}: ${error.message}` })
    return undefined
  }
}

/** Throws `TypeError`. */
function valueOfText(key: GuardKey, text: string, file: string): unknown {
  if (text === '') throw new TypeError('it is empty')
  switch (key) {
    case 'publicUrl':
      if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
        throw new TypeError('expected an address such as https://mcp.example.com')
      return text
    case 'keys':
      return text === 'default' ? text : pathFrom(file, text)
    case 'tlsCert':
    case 'tlsKey':
    case 'tlsClientCa':
    case 'audit':
    case 'rules':
      return pathFrom(file, text)
    case 'tls':
      return oneOf(text, ['self-signed'])
    case 'proxyHeaders':
      return oneOf(text, ['x-forwarded', 'forwarded'])
    case 'auditOnFailure':
      return oneOf(text, ['block', 'continue'])
    case 'auditRefusals':
      return oneOf(text, ['bounded', 'all'])
    case 'authIssuer':
    case 'authJwks':
    case 'authIntrospection':
      secureUrl('the address', text)
      return text
    case 'authClockSkew':
    case 'requestTimeout':
      return parseDuration(text)
    case 'maxBody':
    case 'maxHeaderSize':
    case 'auditMaxSize':
      return parseSize(text)
    case 'auditKey':
      if (text.length < 16) throw new TypeError('the secret must have at least 16 characters')
      return text
    case 'allowAddress':
    case 'denyAddress':
    case 'trustProxy':
      addressSet('this', [text])
      return text
    case 'cors':
      originTest('this', [text])
      return text
    case 'allowOrigin':
      originGuard({ allowOrigins: [text] })
      return text
    case 'allowHost':
      hostGuard({ allowHosts: [text] })
      return text
    case 'rateLimit':
      return parseRateLimit(text)
    default:
      return text
  }
}

function oneOf(text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text
  throw new TypeError(`expected ${choices.map(choice => JSON.stringify(choice)).join(' or ')}`)
}

function pathFrom(file: string, given: string): string {
  const home = /^~[\\/]/.test(given) ? resolve(homedir(), given.slice(2)) : given
  return isAbsolute(home) ? home : resolve(dirname(file), home)
}

/** What a configuration says of who may come in and what callers may do, as if it stood on the command line, which wins. */

import { ConfigError } from '../config/problem.js'
import type { GuardSettings } from '../node/config/guard-settings.js'
import { loadGuards } from '../node/config/load-config.js'
import { type ParsedArguments, UsageError } from './arguments.js'
import { askInput } from './ask-input.js'
import type { SERVE_OPTIONS } from './serve-options.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>

/** The options as they hold, and what only a file can say. */
export interface WithFile {
  readonly parsed: Parsed
  readonly inFile: Pick<GuardSettings, 'auditKey'> & {
    /** Where the rules stand in the file itself. */
    readonly rules?: Exclude<GuardSettings['rules'], string>
  }
}

/** Throws `UsageError` with the file's problems. */
export async function withFileGuards(parsed: Parsed): Promise<WithFile> {
  const { options } = parsed
  let guards: GuardSettings
  try {
    guards = await loadGuards({ file: options.config, client: options['config-client'], ask: askInput })
  } catch (error) {
    if (error instanceof ConfigError || error instanceof TypeError) throw new UsageError(error.message)
    throw error
  }
  const { auditKey, rules, ...rest } = withoutOverruled(guards, parsed.given)
  const given = new Set(parsed.given)
  const merged: Record<string, unknown> = { ...options }
  for (const [key, value] of Object.entries(rest)) {
    const name = optionOf(key)
    if (given.has(name)) continue
    given.add(name)
    merged[name] = value
  }
  const ownRules = given.has('rules') ? undefined : rules
  if (typeof ownRules === 'string') merged.rules = ownRules
  return {
    parsed: { ...parsed, options: merged as Parsed['options'], given },
    inFile: {
      ...(auditKey === undefined ? {} : { auditKey }),
      ...(ownRules === undefined || typeof ownRules === 'string' ? {} : { rules: ownRules }),
    },
  }
}

/** Options that mean something together only: half of them from here and half from there would be nobody's wish. */
const TOGETHER: readonly (readonly (keyof GuardSettings)[])[] = [
  ['tls', 'tlsCert', 'tlsKey'],
  ['authIssuer', 'authAudience', 'authJwks', 'authIntrospection', 'authClientId', 'authClientSecret'],
  ['trustProxy', 'proxyHeaders'],
]

function withoutOverruled(guards: GuardSettings, given: ReadonlySet<string>): GuardSettings {
  const overruled = new Set<string>(
    TOGETHER.filter(keys => keys.some(key => given.has(optionOf(key)))).flat(),
  )
  return Object.fromEntries(Object.entries(guards).filter(([key]) => !overruled.has(key)))
}

function optionOf(key: string): string {
  return key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** What is wrong with a rule or a limit is said where it stands in the file. */

import type { ValueChecks } from '../../config/fields.js'
import { type AccessRule, accessRules } from '../../middleware/exchange/access-rules.js'
import { parseRateLimit } from '../../middleware/exchange/rate-limit.js'

export const VALUE_CHECKS: ValueChecks = {
  rateLimit: value => void parseRateLimit(String(value)),
  rules: checkRule,
}

/** Throws `TypeError` for a rule that cannot work. */
export function checkRule(rule: unknown): void {
  try {
    accessRules([rule as AccessRule])
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Which one it is, its place says.
    throw new TypeError(error.message.replace(/^rules\[0\]/, 'the rule'))
  }
}

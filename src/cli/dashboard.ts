/** The words of the command line about the dashboard, as the library takes them. */

import type { Dashboard } from '../client/serving-status.js'
import { type ParsedArguments, UsageError } from './arguments.js'
import type { SERVE_OPTIONS } from './serve-options.js'

/** Undefined where it is not asked for. Throws `UsageError`. */
export async function openDashboard({
  options,
  given,
}: ParsedArguments<typeof SERVE_OPTIONS>): Promise<Dashboard | undefined> {
  if (!options.dashboard) {
    const name = [...given].find(each => each.startsWith('dashboard-'))
    if (name !== undefined) throw new UsageError(`--${name} is for --dashboard`)
    return undefined
  }
  // Loaded only then.
  const { dashboard } = await import('../dashboard/dashboard.js')
  try {
    return dashboard({
      allow: options['dashboard-allow'],
      withArguments: options['dashboard-arguments'],
      redact: options['audit-redact'],
    })
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(`--dashboard-allow: ${error.message}`) : error
  }
}

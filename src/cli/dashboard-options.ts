/** What `anyport serve` takes about the dashboard. */

import { flag, list, type OptionSpecs, text } from './arguments.js'

const group = 'Dashboard'

export const DASHBOARD_OPTIONS = {
  dashboard: flag(
    'Serve a page at /dashboard that shows servers, calls and clients, and lets you try tools',
    {
      group,
    },
  ),
  'dashboard-allow': list(
    'Who may look: PRINCIPAL with * and ?, or scope:NAME (repeatable; needed where somebody has to authenticate; without that it is for this machine only, and * shows it to everybody)',
    text,
    { metavar: 'WHO', group },
  ),
  'dashboard-arguments': flag('Show the arguments of calls too, but for what is named like a secret', {
    group,
  }),
} as const satisfies OptionSpecs

/**
 * Which scenarios `anyport connect` is tried in as the client, see `client.mjs`. What a revision requires is a list that ships with
 * the suite.
 */
import { scoredScenarios } from './suite.mjs'

const wires = ['2025-11-25', '2026-07-28']
const required = wire => scoredScenarios(wire, 'client').map(scenario => ({ wire, scenario }))

/** Scored for no revision: how servers of 2025-03-26 are signed in to, and what the requirements call extensions or too late. */
const unscored = () => [
  ...['oauth-metadata-backcompat', 'oauth-endpoint-fallback'].map(name => ({
    wire: '2025-03-26',
    scenario: `auth/2025-03-26-${name}`,
  })),
  ...wires.flatMap(wire =>
    ['auth/client-credentials-jwt', 'auth/client-credentials-basic', 'json-schema-2020-12-preservation'].map(
      scenario => ({ wire, scenario }),
    ),
  ),
]

const sets = {
  ...Object.fromEntries(wires.map(wire => [wire, () => required(wire)])),
  unscored,
}

/** Named sets of scenarios, for `--client`. */
export const clientSets = [...Object.keys(sets), 'all']

/** The sets of these names, each `{ name, runs }` with `runs` of `{ wire, scenario }`. The suite has to be installed. */
export function clientSetsOf(names) {
  const chosen = names.includes('all') ? Object.keys(sets) : names
  return chosen.map(name => ({ name: `client ${name}`, runs: sets[name]() }))
}

/** The suite measures when this client comes back, to 200 ms: nothing else may run beside it. */
export const isTimed = ({ scenario }) => scenario === 'sse-retry'

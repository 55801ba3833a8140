/**
 * What cannot pass in some cells, each with its reason; docs/serverless.md says the same to people. An entry whose scenario passes after
 * all fails its cell, so that this list is never longer than it must be.
 */
const asks = 'asks the client, whose answer would have to find the call: that needs a session'
const subscribes = 'is told of changes outside of calls: that needs a session'

/** Clients of 2025-11-25 where no sessions are kept. */
const sessionless = {
  'tools-call-sampling': asks,
  'tools-call-elicitation': asks,
  'elicitation-sep1034-defaults': asks,
  'elicitation-sep1330-enums': asks,
  'resources-subscribe': subscribes,
  'resources-unsubscribe': subscribes,
}

const ends = 'its tool waits for an answer, and Workers end what a request began with that request'

/** Tools that wait (`await server.elicitInput()`), on Workers; those that return their questions pass. */
const waiting = Object.fromEntries(
  ['basic-elicitation', 'basic-sampling', 'basic-list-roots', 'request-state', 'multiple-input-requests']
    .concat(['multi-round', 'non-tool-request'])
    .map(name => [`input-required-result-${name}`, ends]),
)

/** The reasons by scenario. */
export function impossibleIn({ wire, era, hop }) {
  if (!hop.startsWith('fetch-')) return {}
  if (wire === '2025-11-25') return sessionless
  return era === 'legacy' && hop === 'fetch-workerd' ? waiting : {}
}

/**
 * What watching a call costs: nanoseconds per call through the guard of the dashboard, less those of the same call without, in one process and without a
 * wire. The best of some rounds of each, since other programs only make them longer. Needs a build. CALLS is the number of calls of a round, ROUNDS that of rounds.
 */

import { Context, compose, finish, observer } from '../dist/index.js'

const CALLS = Number(process.env.CALLS ?? 200_000)
const ROUNDS = Number(process.env.ROUNDS ?? 9)

/** An exchange without a generator, as the hot paths have them. */
class Answer {
  constructor(id) {
    this.id = id
  }
  next() {
    return Promise.resolve({ done: true, value: { jsonrpc: '2.0', id: this.id, result: { content: [] } } })
  }
  return(value) {
    return Promise.resolve({ done: true, value })
  }
}

const bare = request => new Answer(request.id)
const watched = compose(bare, observer().guard)
const caller = { binding: 'streamable-http', principal: 'ann', address: '127.0.0.1' }
const clientInfo = { name: 'client', version: '1' }

async function round(handler) {
  const began = performance.now()
  for (let id = 0; id < CALLS; id++) {
    const _meta = { 'io.modelcontextprotocol/clientInfo': clientInfo }
    const params = { name: 'echo', arguments: { words: 'hello' }, _meta }
    await finish(handler({ jsonrpc: '2.0', id, method: 'tools/call', params }, new Context(caller)))
  }
  return ((performance.now() - began) * 1e6) / CALLS
}

for (let warm = 0; warm < 3; warm++) for (const handler of [bare, watched]) await round(handler)
const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
for (let count = 0; count < ROUNDS; count++)
  for (const [index, handler] of [bare, watched].entries())
    best[index] = Math.min(best[index], await round(handler))
const [without, within] = best
console.log(
  `without ${without.toFixed(0)} ns, watched ${within.toFixed(0)} ns: ${(within - without).toFixed(0)} ns more per call`,
)

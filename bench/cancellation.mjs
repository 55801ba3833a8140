/**
 * What it costs to make one call cancellable: node bench/cancellation.mjs (after npm run build).
 * decisions/0002-cancellation-without-abortsignal.md quotes it.
 */

import { Context } from '../dist/exchange/context.js'

const CALLS = 20_000
/** Calls per turn of the event loop: `AbortSignal.any` frees nothing before the turn ends. */
const TURN = 100
const ROUNDS = 7
const caller = { binding: 'internal' }
const request = JSON.stringify({
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message: 'hello' }, _meta: { progressToken: 1 } },
})
let heard = 0
const listener = () => {
  heard++
}

const ways = {
  'flag and listener (Context)': () => {
    const release = new Context(caller).onCancel(listener)
    release()
  },
  'AbortController, signal unused': () => new AbortController().signal,
  'AbortController and one listener': () => {
    const { signal } = new AbortController()
    signal.addEventListener('abort', listener, { once: true })
    signal.removeEventListener('abort', listener)
  },
  'the same, three levels deep (AbortSignal.any)': () => {
    let { signal } = new AbortController()
    for (let level = 0; level < 2; level++) signal = AbortSignal.any([signal, new AbortController().signal])
    signal.addEventListener('abort', listener, { once: true })
    signal.removeEventListener('abort', listener)
  },
  'flag and listener, three levels deep': () => {
    const outer = new Context(caller)
    const middle = outer.child()
    const inner = middle.context.child()
    inner.context.onCancel(listener)()
    inner.release()
    middle.release()
  },
  'for scale: parse a small tools/call and write it again': () => JSON.stringify(JSON.parse(request)),
}

const samples = Object.fromEntries(Object.keys(ways).map(name => [name, []]))
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, way] of Object.entries(ways)) {
    let took = 0
    for (let call = 0; call < CALLS; call += TURN) {
      const began = performance.now()
      for (let index = 0; index < TURN; index++) way()
      took += performance.now() - began
      await new Promise(resolve => setImmediate(resolve))
    }
    // The first round compiles.
    if (round > 0) samples[name].push((took * 1e6) / CALLS)
  }
}

if (heard > 0) throw new Error('Nobody cancelled, and yet a listener heard it')
console.log(`Node ${process.version}, ns per call, median of ${ROUNDS} rounds of ${CALLS}`)
for (const [name, times] of Object.entries(samples)) {
  times.sort((a, b) => a - b)
  console.log(`${String(Math.round(times[ROUNDS >> 1])).padStart(8)}  ${name}`)
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Handler } from '../../../src/exchange/exchange.js'
import { fromSession } from '../../../src/legacy/from-session.js'
import { toSession } from '../../../src/legacy/to-session.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { type ClientOptions, callAsModern } from '../../fixtures/modern-client.js'

/** A modern handler, made legacy and modern again. */
function crossed(handler: Handler): Handler {
  return fromSession(toSession(handler)).handler
}

async function both(
  method: string,
  params: JSONObject,
  options: ClientOptions = {},
  id: string | number = 7,
) {
  const direct = everythingHandler()
  const there = everythingHandler()
  const expected = await callAsModern(direct.handler, id, method, params, options)
  const actual = await callAsModern(crossed(there.handler), id, method, params, options)
  expect(there.counters.runs).toEqual(direct.counters.runs)
  return { expected, actual }
}

describe('fromSession(toSession(h)) behaves as h', () => {
  it.each([
    ['server/discover', {}],
    ['tools/list', {}],
    ['tools/list', { cursor: 'page 2' }],
    ['tools/call', { name: 'echo', arguments: { a: [1, { b: null }], c: 'é😀' } }],
    [
      'tools/call',
      { name: 'echo', arguments: {}, _meta: { 'com.example/trace': 'abc', progressToken: 'x' } },
    ],
    ['tools/call', { name: 'progress', arguments: { steps: 5 }, _meta: { progressToken: 'mine' } }],
    ['tools/call', { name: 'progress', arguments: { steps: 2 }, _meta: { progressToken: 0 } }],
    ['tools/call', { name: 'fail' }],
    ['tools/call', { name: 'no such tool' }],
    ['com.example/unknown', { payload: { any: ['thing'] } }],
    ['no/such/method', {}],
  ])('%s %j', async (method, params) => {
    const { expected, actual } = await both(method, params)
    expect(actual).toEqual(expected)
  })

  it('delivers logs from the level on that was asked for', async () => {
    for (const logLevel of ['debug', 'warning', 'error']) {
      const { expected, actual } = await both('tools/call', { name: 'log' }, { logLevel })
      const wanted = logLevel === 'error' ? [] : expected.notifications
      expect(actual.notifications).toEqual(wanted)
      expect(actual.response).toEqual(expected.response)
    }
  })

  it('asks the same questions in the same rounds and runs the tool once', async () => {
    const key = fc.stringMatching(/^(sample|roots|form)[a-z0-9_]{0,5}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(key, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        fc.oneof(fc.integer(), fc.string()),
        async (rounds, id) => {
          const known = new Set<string>()
          const fresh = rounds
            .map(keys => keys.filter(k => !known.has(k) && known.add(k)))
            .filter(k => k.length > 0)
          const { expected, actual } = await both(
            'tools/call',
            { name: 'ask', arguments: { rounds: fresh } },
            {},
            id,
          )
          expect(actual).toEqual(expected)
        },
      ),
      { numRuns: 25 },
    )
  })
})

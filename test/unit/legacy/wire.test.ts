import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JSONObject } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget } from '../../fixtures/memory-target.js'
import { VERSIONS } from '../../fixtures/protocol-schemas.js'
import { type Wire, wire } from '../../fixtures/wire.js'

/** Keys that mean something to one era only, and must arrive where they are nobody's but the user's. */
const LOADED_KEYS = [
  'resultType',
  'ttlMs',
  'cacheScope',
  'requestState',
  'inputResponses',
  'task',
  '_meta',
  'execution',
]

const json = fc.dictionary(fc.oneof(fc.constantFrom(...LOADED_KEYS), fc.string()), fc.jsonValue(), {
  maxKeys: 4,
})
const id = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0', '1', '2', 'a', ''))
const meta = fc.record(
  {
    progressToken: id,
    'com.example/trace': fc.jsonValue(),
    traceparent: fc.constant('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'),
  },
  { requiredKeys: [] },
)
const request = fc.oneof(
  fc.record({ method: fc.constant('tools/list'), params: fc.constant({}) }),
  tool('echo', json),
  tool('progress', fc.record({ steps: fc.integer({ min: 0, max: 4 }) })),
  tool('log', fc.constant({})),
  tool('contents', fc.constant({})),
  tool('fail', fc.constant({})),
  tool('no such tool', json),
  tool(
    'ask',
    fc.record({
      rounds: fc.constantFrom(
        [['form']],
        [['sample', 'roots'], ['form2']],
        [['roots1']],
        [['choice'], ['choice2', 'sample3']],
        [['url'], ['roots4']],
      ),
    }),
  ),
  fc.record({ method: fc.constant('com.example/unknown'), params: fc.record({ payload: fc.jsonValue() }) }),
)

function tool(name: string, args: fc.Arbitrary<JSONObject>) {
  return fc.record({
    method: fc.constant('tools/call'),
    params: fc.record({ name: fc.constant(name), arguments: args, _meta: meta }),
  }) as fc.Arbitrary<{ method: string; params: JSONObject }>
}

/** What clients of a revision can declare. */
function capabilitiesOf(version: string): JSONObject {
  if (version >= '2026') return { sampling: {}, roots: {}, elicitation: { form: {}, url: {} } }
  const oldest = { sampling: {}, roots: { listChanged: true }, 'com.example/own': { a: 1 } }
  if (version < '2025-06-18') return oldest
  return { ...oldest, elicitation: version < '2025-11-25' ? {} : { form: {}, url: {} } }
}

async function withWire(
  version: string,
  protocol: 'legacy' | 'modern',
  use: (wire: Wire, counters: ReturnType<typeof everythingHandler>['counters']) => Promise<void>,
): Promise<void> {
  const { handler, counters } = everythingHandler()
  const way = await wire(memoryTarget(handler), {
    client: { version, capabilities: capabilitiesOf(version) },
    upstream: { protocol },
  })
  try {
    await use(way, counters)
  } finally {
    await way.close()
  }
  expect(way.problems()).toEqual([])
}

describe.each(VERSIONS)('a client of %s', version => {
  describe.each(['legacy', 'modern'] as const)('with a %s server', protocol => {
    it('sends and is sent only what its era and the revision know, whatever it asks at once', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.tuple(id, request), { selector: ([key]) => key, maxLength: 6 }),
          requests =>
            withWire(version, protocol, async ({ client }) => {
              const responses = await Promise.all(
                requests.map(([key, { method, params }]) => client.call(key, method, params)),
              )
              expect(responses.map(response => response?.id)).toEqual(requests.map(([key]) => key))
            }),
        ),
        { numRuns: 25 },
      )
    })

    it('gets back its own ids and progress tokens, of their own type', async () => {
      await withWire(version, protocol, async ({ client }) => {
        const keys = [1, '1', 0, '0', '', 'x', 2, '2']
        const responses = await Promise.all(
          keys.map(key =>
            client.call(key, 'tools/call', {
              name: 'progress',
              arguments: { steps: 2 },
              _meta: { progressToken: key },
            }),
          ),
        )
        expect(responses.map(response => response?.id)).toEqual(keys)
        for (const key of keys) {
          const own = client.notifications.filter(({ params }) => params?.progressToken === key)
          expect(own.map(({ params }) => params?.progress)).toEqual([1, 2])
        }
      })
    })

    it('has its arguments carried whole, whatever their keys are called', async () => {
      await fc.assert(
        fc.asyncProperty(json, args =>
          withWire(version, protocol, async ({ client }) => {
            const response = await client.call(1, 'tools/call', { name: 'echo', arguments: args })
            expect(response).toMatchObject({ result: { 'com.example/extra': [null, false, 0] } })
            const { structuredContent } = (response as unknown as { result: JSONObject }).result
            expect(structuredContent).toEqual(JSON.parse(JSON.stringify(args)))
          }),
        ),
        { numRuns: 20 },
      )
    })
  })
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { streamableHttp } from '../../../src/transport/streamable-http/serve.js'
import type { Received } from '../../fixtures/http-request.js'
import { type LegacyClient, legacyClient } from '../../fixtures/legacy-http-client.js'
import { modernServer } from '../../fixtures/modern-server.js'

/** What a client on a bad line does, time after time, until it has the response. */
interface Stretch {
  /** Events that arrive. */
  readonly arrive: number
  /** Events that were written, and never arrive. */
  readonly lost: number
  /** Turns of the event loop until the client is back. */
  readonly away: number
  /** Whether the server learns that the client has gone, or finds another connection in its place. */
  readonly silent: boolean
}

interface Reader {
  readonly label: string
  readonly events: number
  readonly slowly: boolean
  readonly stretches: readonly Stretch[]
}

const stretch = fc.record<Stretch>({
  arrive: fc.nat(6),
  lost: fc.nat(3),
  away: fc.nat(3),
  silent: fc.boolean(),
})
const reader = (label: string) =>
  fc.record<Reader>({
    label: fc.constant(label),
    events: fc.integer({ min: 1, max: 25 }),
    slowly: fc.boolean(),
    stretches: fc.array(stretch, { maxLength: 5 }),
  })

async function readAll(
  client: LegacyClient,
  { label, events, slowly, stretches }: Reader,
): Promise<string[]> {
  const got: string[] = []
  let lastId: string | undefined
  const take = async (stream: Received): Promise<boolean> => {
    const event = await stream.event()
    if (event === undefined) return false
    lastId = event.id
    if (event.data === '') return true
    const message = JSON.parse(event.data)
    got.push(message.params?.data ?? message.result.content[0].text)
    return true
  }
  let stream = await client.call('count', { to: events, label, slowly }, label)
  for (const { arrive, lost, away, silent } of stretches) {
    // The priming event, without which a client could not come back.
    if (lastId === undefined) await take(stream)
    for (let count = 0; count < arrive; count++) if (!(await take(stream))) return got
    for (let count = 0; count < lost; count++) await stream.event()
    if (!silent) stream.hangUp()
    for (let turn = 0; turn < away; turn++) await new Promise(resolve => setTimeout(resolve, 0))
    const back = await client.get({ 'last-event-id': lastId })
    if (back.status === 204) return got
    stream = back
  }
  while (await take(stream));
  return got
}

function expected({ label, events }: Reader): string[] {
  return [...Array.from({ length: events }, (_, index) => `${label}${index}`), `counted ${label}`]
}

it('replays exactly what was missed: nothing lost, nothing twice, nothing foreign', {
  timeout: 30_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(reader('a'), reader('b'), reader('c'), async (a, b, c) => {
      const face = streamableHttp(modernServer().handler)
      try {
        const [ann, bob] = await Promise.all([legacyClient(face.handler), legacyClient(face.handler)])
        // Two streams of one session, and one of another.
        const [gotA, gotB, gotC] = await Promise.all([readAll(ann, a), readAll(ann, b), readAll(bob, c)])
        expect(gotA).toEqual(expected(a))
        expect(gotB).toEqual(expected(b))
        expect(gotC).toEqual(expected(c))
      } finally {
        face.close()
      }
    }),
    { numRuns: 80 },
  )
})

it('replays nothing for an id of another session, or one that is made up', { timeout: 30_000 }, async () => {
  const face = streamableHttp(modernServer().handler)
  const [ann, bob] = await Promise.all([legacyClient(face.handler), legacyClient(face.handler)])
  const idsOf = async (client: LegacyClient, label: string): Promise<string[]> => {
    const ids: string[] = []
    const stream = await client.call('count', { to: 5, label }, label)
    for (let event = await stream.event(); event !== undefined; event = await stream.event())
      ids.push(event.id as string)
    return ids
  }
  const foreign = [...(await idsOf(ann, 'ann 1')), ...(await idsOf(ann, 'ann 2'))]
  const own = await idsOf(bob, 'bob')
  const secret = (id: string) => id.split('.')[0] as string
  expect(new Set(own.map(secret))).not.toEqual(new Set(foreign.map(secret)))
  const number = fc.oneof(fc.nat(20), fc.integer(), fc.maxSafeNat()).map(String)
  const id = fc
    .oneof(
      fc.constantFrom(...foreign),
      fc.uuid(),
      fc.string({ minLength: 1, unit: fc.constantFrom(...'abcXYZ019.-_: ') }),
      // Pieces of what is true, put together wrongly.
      fc
        .tuple(fc.constantFrom(...foreign.map(secret)), fc.array(number, { maxLength: 3 }))
        .map(([first, rest]) => [first, ...rest].join('.')),
      fc
        .tuple(fc.constantFrom(...own.map(secret)), fc.integer({ min: 100, max: 10_000 }), number)
        .map(parts => parts.join('.')),
    )
    .filter(made => made.trim() !== '' && !own.includes(made))
  try {
    await fc.assert(
      fc.asyncProperty(id, async made => {
        const reply = await bob.get({ 'last-event-id': made })
        expect(reply.status).toBe(400)
      }),
      { numRuns: 500 },
    )
    // What is its own it gets.
    const resumed = await bob.get({ 'last-event-id': own[0] })
    expect(await resumed.rest()).toHaveLength(6)
  } finally {
    face.close()
  }
})

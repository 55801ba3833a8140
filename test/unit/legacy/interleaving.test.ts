import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/client/open.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse, RequestId } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget, rawTarget } from '../../fixtures/memory-target.js'
import { ALL_CAPABILITIES, defaultAnswer } from '../../fixtures/modern-client.js'
import { scriptedLegacyServer } from '../../fixtures/scripted-legacy-server.js'
import { type TimerLedger, watchTimers } from '../../fixtures/timers.js'
import { type Wire, wire } from '../../fixtures/wire.js'

type CallKind =
  | 'plain'
  | 'progress'
  | 'fails'
  | 'asks'
  | 'asks twice'
  | 'colliding'
  | 'withdraws'
  | 'late'
  | 'hangs'

type Action =
  | { readonly act: 'call'; readonly kind: CallKind }
  | { readonly act: 'cancel'; readonly which: number }
  | { readonly act: 'answer'; readonly refuse: boolean }
  | { readonly act: 'turn'; readonly milliseconds: number }
  | { readonly act: 'close client' }
  | { readonly act: 'close server' }

const KINDS: readonly CallKind[] = [
  'plain',
  'progress',
  'fails',
  'asks',
  'asks twice',
  'colliding',
  'withdraws',
  'late',
  'hangs',
]

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ act: fc.constant('call'), kind: fc.constantFrom(...KINDS) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('cancel'), which: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('answer'), refuse: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ act: fc.constant('turn'), milliseconds: fc.constantFrom(0, 0, 1, 5, 20) }),
  },
  { weight: 1, arbitrary: fc.constant({ act: 'close client' }) },
  { weight: 1, arbitrary: fc.constant({ act: 'close server' }) },
) as fc.Arbitrary<Action>

/** A server of either era, and what it knows of its calls. */
interface Server {
  readonly target: Target & { readonly served: readonly { close(): Promise<void> }[] }
  params(kind: CallKind, call: number): JSONObject
  /** Times that each call ran to where it does its work. */
  runs(): ReadonlyMap<unknown, number>
  /** What has neither ended nor been cancelled; a subscription may go on as long as its session. */
  unfinished(): readonly unknown[]
  subscriptions(): number
}

function legacyServer(): Server {
  const server = scriptedLegacyServer()
  const behaviours: Record<CallKind, JSONObject> = {
    plain: {},
    progress: { progress: 3 },
    fails: { fails: true },
    asks: { asks: 1 },
    'asks twice': { asks: 2 },
    colliding: { asks: 2, colliding: true },
    withdraws: { asks: 2, withdraws: true, delay: 3 },
    late: { delay: 10 },
    hangs: { hangs: true },
  }
  return {
    target: rawTarget(channel => server.listen(channel)),
    params: (kind, call) => ({ name: kind, arguments: { call, ...behaviours[kind] } }),
    runs: () => server.runs,
    unfinished: () => [...server.open(), ...server.unanswered()],
    subscriptions: () => 0,
  }
}

function modernServer(): Server {
  const { handler } = everythingHandler()
  const open = new Set<JSONRPCRequest>()
  const isSubscription = ({ method }: JSONRPCRequest) => method === 'subscriptions/listen'
  const watched: Handler = async function* (request, context) {
    open.add(request)
    try {
      return yield* handler(request, context)
    } finally {
      open.delete(request)
    }
  }
  const asking = (...rounds: string[][]) => ({ name: 'ask', arguments: { rounds } })
  const tools: Record<CallKind, JSONObject> = {
    plain: { name: 'echo' },
    progress: { name: 'progress', arguments: { steps: 3 } },
    fails: { name: 'fail' },
    asks: asking(['form']),
    'asks twice': asking(['form', 'sample'], ['roots']),
    colliding: asking(['form'], ['form2']),
    withdraws: { name: 'log' },
    late: { name: 'no such tool' },
    hangs: { name: 'hang' },
  }
  return {
    target: memoryTarget(watched),
    params: kind => tools[kind],
    runs: () => new Map(),
    unfinished: () => [...open].filter(request => !isSubscription(request)),
    subscriptions: () => [...open].filter(isSubscription).length,
  }
}

/** One client at work: what it has asked for, and what it was answered. */
class Schedule {
  readonly cancelled = new Set<RequestId>()
  readonly sent: RequestId[] = []
  closed = false
  /** Questions by what answers them. */
  #questions: ((refuse: boolean) => void)[] = []
  #seen = 0
  #calls = 0
  #retries = 0
  #paramsOf = new Map<RequestId, JSONObject>()

  constructor(
    readonly way: Wire,
    readonly server: Server,
  ) {}

  async run(action: Action): Promise<void> {
    this.#look()
    const { client } = this.way
    switch (action.act) {
      case 'call': {
        const call = ++this.#calls
        // 1, "1", 3, "3": equal but for their type.
        const id = call % 2 === 1 ? call : `${call - 1}`
        const params = { ...this.server.params(action.kind, call), _meta: { progressToken: id } }
        this.#send(id, params)
        return
      }
      case 'cancel': {
        const open = this.open()
        const id = open[action.which % Math.max(1, open.length)]
        if (id === undefined) return
        this.cancelled.add(id)
        client.cancel(id)
        return
      }
      case 'answer':
        this.#questions.shift()?.(action.refuse)
        return
      case 'turn':
        return new Promise(resolve => setTimeout(resolve, action.milliseconds))
      case 'close client':
        this.closed = true
        return client.close()
      case 'close server':
        await this.server.target.served.at(-1)?.close()
    }
  }

  /** Requests that were neither answered nor cancelled. */
  open(): RequestId[] {
    const answered = new Set(this.responses().map(({ id }) => id))
    return this.sent.filter(id => !answered.has(id) && !this.cancelled.has(id))
  }

  responses(): JSONRPCResponse[] {
    return this.way.client.received.filter(
      message => !('method' in message) && message.id !== 'open',
    ) as JSONRPCResponse[]
  }

  /** Answers what is asked and gives up what never ends, until there is nothing left. */
  async settle(): Promise<void> {
    for (let round = 0; round < 200 && this.open().length > 0 && !this.closed; round++) {
      this.#look()
      for (const answer of this.#questions.splice(0)) answer(round % 3 === 2)
      if (round === 20) for (const _id of this.open()) await this.run({ act: 'cancel', which: 0 })
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  #send(id: RequestId, params: JSONObject): void {
    this.#paramsOf.set(id, params)
    this.sent.push(id)
    void this.way.client.request(id, 'tools/call', params)
  }

  /** Notices what was asked since. */
  #look(): void {
    const { client } = this.way
    for (const message of client.received.slice(this.#seen)) {
      this.#seen += 1
      if ('method' in message && 'id' in message) {
        this.#questions.push(refuse =>
          client.send({
            jsonrpc: '2.0',
            id: message.id,
            ...(refuse
              ? { error: { code: -1, message: 'no' } }
              : { result: defaultAnswer('k', message as unknown as JSONObject) }),
          }),
        )
      } else if ('result' in message) this.#noticeQuestions(message.id, message.result as JSONObject)
    }
  }

  #noticeQuestions(id: RequestId, { resultType, inputRequests, requestState }: JSONObject): void {
    if (resultType !== 'input_required') return
    this.#questions.push(() => {
      const inputResponses = Object.fromEntries(
        Object.entries(inputRequests as Record<string, JSONObject>).map(([key, input]) => [
          key,
          defaultAnswer(key, input),
        ]),
      )
      const { requestState: _state, inputResponses: _responses, ...params } = this.#paramsOf.get(id) ?? {}
      this.#send(`retry ${++this.#retries}`, { ...params, inputResponses, requestState })
    })
  }
}

describe.each(['2025-11-25', '2026-07-28'])('a client of %s', version => {
  describe.each([
    ['legacy', legacyServer],
    ['modern', modernServer],
  ] as const)('with a %s server', (protocol, makeServer) => {
    let timers: TimerLedger
    beforeEach(() => {
      timers = watchTimers()
    })
    afterEach(() => timers.restore())

    it.each([
      ['can be asked', ALL_CAPABILITIES],
      ['cannot be asked', {}],
    ])(
      'that %s gets one answer to each request, and nothing stays behind',
      async (_name, capabilities) => {
        await fc.assert(
          fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async actions => {
            const server = makeServer()
            const way = await wire(server.target, {
              client: { version, capabilities, answer: () => undefined },
              upstream: { protocol, parkTimeout: 100, settle: 2 },
            })
            const schedule = new Schedule(way, server)
            for (const action of actions) if (!schedule.closed) await schedule.run(action)
            await schedule.settle()

            if (!schedule.closed) expect(schedule.open()).toEqual([])
            const ids = schedule.responses().map(({ id }) => id)
            expect(ids.length).toBe(new Set(ids).size)
            for (const id of ids) expect(schedule.sent).toContain(id)
            for (const [call, runs] of server.runs()) expect([call, runs]).toEqual([call, 1])
            await until(
              () => server.unfinished().length === 0,
              () => `the server still has ${JSON.stringify(server.unfinished())}`,
            )

            await within(way.close(), 2_000)
            const held = () => JSON.stringify(way.up.counts())
            await until(() => held() === '{"connections":0,"calls":0,"parked":0}', held)
            await until(
              () => server.subscriptions() === 0,
              () => 'a subscription goes on',
            )
            await until(
              () => timers.running().length === 0,
              () => `timers run on:\n${timers.running().join('\n\n')}`,
            )
            expect(way.problems()).toEqual([])
          }),
          { numRuns: 25 },
        )
      },
      60_000,
    )
  })
})

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 3_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(what())
    await new Promise(resolve => setImmediate(resolve))
  }
}

function within(promise: Promise<void>, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`It took more than ${milliseconds} ms`)), milliseconds)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

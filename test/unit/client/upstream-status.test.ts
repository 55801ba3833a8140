import { describe, expect, it } from 'vitest'
import type { UpstreamEvent } from '../../../src/client/events.js'
import { ServerHistory } from '../../../src/client/upstream-status.js'
import { TransportError } from '../../../src/exchange/errors.js'

const STARTING: UpstreamEvent = { type: 'starting' }
const READY: UpstreamEvent = { type: 'ready', era: 'legacy', milliseconds: 12.4 }
const error = new TransportError('ERR_EXITED', 'it ended: key planted-secret', {
  exitCode: 3,
  stderr: ['one', '\u001b[31mtwo\u001b[0m planted-secret'],
})
const FAILED: UpstreamEvent = { type: 'failed', error, failures: 1, retryIn: 10 }
const EXITED: UpstreamEvent = { type: 'exited', error, milliseconds: 5 }
const GIVEN_UP: UpstreamEvent = { type: 'given-up', error, failures: 6, retryIn: 10 }

function afterEvents(...events: readonly UpstreamEvent[]): ServerHistory {
  const history = new ServerHistory()
  for (const event of events) history.hear(event)
  return history
}

describe('what has happened to a server', () => {
  it.each([
    ['nothing', [], 0, 'resting', 0, 0],
    ['it starts', [STARTING], 0, 'starting', 1, 0],
    ['it runs', [STARTING, READY], 1, 'running', 1, 0],
    ['it was stopped', [STARTING, READY, { type: 'stopped', reason: 'idle' }], 0, 'resting', 1, 0],
    ['it could not be started', [STARTING, FAILED], 0, 'failed', 1, 0],
    ['it ended', [STARTING, READY, EXITED], 0, 'failed', 1, 0],
    ['it ended and starts again', [STARTING, READY, EXITED, STARTING], 0, 'starting', 2, 1],
    ['it ended and runs again', [STARTING, READY, EXITED, STARTING, READY], 1, 'running', 2, 1],
    ['it runs for two', [STARTING, READY, STARTING, READY], 2, 'running', 2, 0],
    ['a second one is on its way', [STARTING, READY, STARTING], 2, 'running', 2, 0],
    ['it failed too often', [STARTING, FAILED, STARTING, FAILED, GIVEN_UP], 0, 'given-up', 2, 1],
    ['it fails on', [STARTING, FAILED, GIVEN_UP, STARTING, FAILED], 0, 'given-up', 2, 1],
    ['it was given up, and runs', [STARTING, FAILED, GIVEN_UP, STARTING, READY, EXITED], 0, 'failed', 2, 1],
    [
      'a spare one ended',
      [
        { ...STARTING, spare: true },
        { ...EXITED, spare: true },
      ],
      0,
      'resting',
      0,
      0,
    ],
    ['a spare one was taken', [{ type: 'taken' }, READY], 1, 'running', 1, 0],
  ] as [string, UpstreamEvent[], number, string, number, number][])(
    '%s',
    (_what, events, connections, state, starts, restarts) => {
      expect(afterEvents(...events).report(connections, [], [])).toMatchObject({ state, starts, restarts })
    },
  )

  it('has a last error and the last lines of stderr, without secrets and colours', () => {
    const history = afterEvents(STARTING, READY, EXITED)
    const report = history.report(0, ['planted-secret'], [])
    expect(report).toMatchObject({
      readyAt: expect.stringMatching(/^\d{4}-/),
      readyAfter: 12,
      lastError: { code: 'ERR_EXITED', message: 'it ended: key ***', exitCode: 3, time: expect.any(String) },
      stderr: ['one', 'two ***'],
    })
    const programs = [{ pid: 5, stderr: () => ['now', 'token=abcdefgh\u2028', 'x'.repeat(3_000)] }]
    const running = history.report(1, ['planted-secret'], programs)
    expect(running).toMatchObject({ pids: [5], stderr: ['now', 'token=***\\u2028', `${'x'.repeat(500)}…`] })
  })

  it('keeps so many lines', () => {
    const lines = Array.from({ length: 64 }, (_, index) => `line ${index}`)
    const { stderr } = afterEvents(STARTING, READY).report(1, [], [{ pid: 1, stderr: () => lines }])
    expect([stderr.length, stderr.at(-1)]).toEqual([40, 'line 63'])
  })
})

import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { UpstreamEvent } from '../../../src/client/events.js'
import { upstream } from '../../../src/client/upstream.js'
import { connect } from '../../../src/node/connect.js'
import { ALL_CAPABILITIES } from '../../fixtures/modern-client.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const LAST_WORDS = fileURLToPath(new URL('../../fixtures/processes/last-words.mjs', import.meta.url))

it.each([
  ['mute', {}, 20],
  ['that may be asked', ALL_CAPABILITIES, 1],
])('what a server says before it ends is heard by callers: %s', async (_, capabilities, calls) => {
  const target = connect({ command: process.execPath, args: [LAST_WORDS] })
  let exits = 0
  const onEvent = ({ type }: UpstreamEvent) => {
    if (type === 'exited') exits += 1
  }
  const up = upstream(target, { protocol: 'legacy', onEvent })
  const call = (name: string) => modernRequest(up.handler, 'tools/call', { name }, { capabilities })
  for (let round = 0; round < 4; round++) {
    const names = [...Array(calls - 1).fill('wait'), 'go']
    const replies = await Promise.all(names.map(call))
    expect(replies.map(({ result }) => JSON.stringify(result).length > 10_000)).toEqual(names.map(() => true))
    await until(() => exits === round + 1, 'its end')
  }
  await up.close()
})

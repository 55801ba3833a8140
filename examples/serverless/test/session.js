/** What clients of both SDKs and of both eras do with the server, whatever it runs on. */

import assert from 'node:assert/strict'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const INFO = { name: 'test', version: '1.0.0' }
const TWICE = { time: '2026-10-25T02:30', from: 'Europe/Berlin', to: ['America/New_York', 'Asia/Kolkata'] }

/** Connects to `url` with each client, and uses all tools. */
export async function tryAllClients(url) {
  const v1 = new ClientV1(INFO)
  await v1.connect(new HttpV1(new URL(url)))
  await useTools(v1)
  await bothTimes(v1)
  await v1.close()

  const legacy = new ClientV2(INFO, { versionNegotiation: { mode: 'legacy' } })
  await legacy.connect(new HttpV2(new URL(url)))
  await useTools(legacy)
  await bothTimes(legacy)
  await legacy.close()

  const modern = modernClient()
  await modern.connect(new HttpV2(new URL(url)))
  await useTools(modern)
  await asked(modern)
  await modern.close()

  for (const method of ['GET', 'DELETE']) {
    const response = await fetch(url, { method, headers: { accept: 'text/event-stream' } })
    assert.equal(response.status, 405)
    await response.text()
  }
}

/** A client that can be asked. */
export function modernClient() {
  const client = new ClientV2(INFO, {
    capabilities: { elicitation: { form: {} } },
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  })
  client.setRequestHandler('elicitation/create', ({ params }) => {
    assert.match(params.message, /show 02:30 twice/)
    assert.deepEqual(params.requestedSchema.properties.offset.enum, ['UTC+02:00', 'UTC+01:00'])
    return { action: 'accept', content: { offset: 'UTC+01:00' } }
  })
  return client
}

export async function useTools(client) {
  const { tools } = await client.listTools()
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['current_time', 'convert_time', 'common_hours'],
  )
  const now = await call(client, 'current_time', { zones: ['UTC', 'Asia/Kathmandu'] })
  assert.ok(Math.abs(Date.parse(`${now.times[0].time}Z`) - Date.now()) < 120_000, now.times[0].time)
  assert.equal(now.times[1].offset, 'UTC+05:45')

  const summer = {
    time: '2026-07-01T09:00',
    from: 'Europe/Berlin',
    to: ['America/New_York', 'Pacific/Auckland'],
  }
  const { times } = await call(client, 'convert_time', summer)
  assert.deepEqual(
    times.map(({ to }) => to.map(({ time, offset }) => `${time} ${offset}`)),
    [['2026-07-01T03:00 UTC-04:00', '2026-07-01T19:00 UTC+12:00']],
  )
  const skipped = await client.callTool({
    name: 'convert_time',
    arguments: { time: '2026-03-29T02:30', from: 'Europe/Berlin', to: ['UTC'] },
  })
  assert.ok(skipped.isError)
  assert.match(skipped.content[0].text, /No clock in Europe\/Berlin shows 2026-03-29T02:30/)

  const work = { date: '2026-07-01', zones: ['Europe/Berlin', 'America/New_York'], minutes: 60 }
  const { spans } = await call(client, 'common_hours', work)
  assert.deepEqual(
    spans.map(({ from, to }) => [from[0].time, to[0].time]),
    [['2026-07-01T15:00', '2026-07-01T17:00']],
  )
  const wrong = await client.callTool({ name: 'current_time', arguments: { zones: ['Mars/Olympus'] } })
  assert.ok(wrong.isError)
}

/** Who cannot be asked which of the two is meant, gets both. */
async function bothTimes(client) {
  const { times } = await call(client, 'convert_time', TWICE)
  assert.deepEqual(
    times.map(({ from, to }) => [from.offset, to[0].time]),
    [
      ['UTC+02:00', '2026-10-24T20:30'],
      ['UTC+01:00', '2026-10-24T21:30'],
    ],
  )
}

/** Who can be asked is asked, and gets the one. */
export async function asked(client) {
  const { times } = await call(client, 'convert_time', TWICE)
  assert.deepEqual(
    times.map(({ from, to }) => [from.offset, to[0].time]),
    [['UTC+01:00', '2026-10-24T21:30']],
  )
}

async function call(client, name, given) {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: given })
  assert.ok(!isError, content?.[0]?.text)
  return structuredContent
}

/** The measures. Each checks every answer it gets: a fast wrong answer is an error, not a number. */

import { blobText } from './blob.mjs'
import { all } from './client.mjs'
import { messagesOf, textOf } from './dialect.mjs'

const MAX_REQUESTS = 400_000

/** Requests per second on `connections` connections, each with one request in flight and, where there are any, its own session. */
export async function measureRequests({ client, product }, connections, seconds) {
  await client.openSessions(connections)
  const open = await all(Array.from({ length: connections }, () => client.connect()))
  try {
    const latencies = []
    let deadline = performance.now() + Math.min(0.2, seconds / 4) * 1000
    const run = () =>
      all(open.map((connection, index) => callUntil(client, connection, index, latencies, () => deadline)))
    await run()
    latencies.length = 0
    const cpu = product.cpu()
    const own = process.cpuUsage()
    const start = performance.now()
    deadline = start + seconds * 1000
    await run()
    const elapsed = performance.now() - start
    const spent = product.cpu() - cpu
    const { user, system } = process.cpuUsage(own)
    latencies.sort((a, b) => a - b)
    return {
      rps: (latencies.length / elapsed) * 1000,
      p50: latencies[Math.floor(latencies.length * 0.5)],
      p99: latencies[Math.floor(latencies.length * 0.99)],
      cpu: (spent / latencies.length) * 1000,
      /** Shares of one core: who was the bottleneck? */
      productBusy: spent / elapsed,
      generatorBusy: (user + system) / 1000 / elapsed,
    }
  } finally {
    for (const connection of open) connection.close()
  }
}

function callUntil(client, connection, index, latencies, deadline) {
  const caller = client.dialect.caller(client.echoTool, client.session(index))
  let id = client.firstId(index)
  let expected = ''
  let sent = 0
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => connection.close(), deadline() - performance.now() + 20_000)
    const next = () => {
      const value = `connection ${index} request ${id}: the quick brown fox jumps over the lazy dog`
      expected = `{"value":"${value}"}`
      sent = performance.now()
      connection.send(caller(id, expected, undefined), exchange)
    }
    const exchange = {
      done(status, _head, body) {
        const now = performance.now()
        latencies.push(now - sent)
        try {
          if (status !== 200) throw new Error(`answered ${status}: ${body.toString().slice(0, 200)}`)
          // 0x7b is "{": one JSON body, the common case.
          const message = body[0] === 0x7b ? JSON.parse(body.latin1Slice()) : messagesOf(body).at(-1)
          const text = textOf(message, id)
          if (text !== expected) throw new Error(`asked ${expected}, was answered ${text}`)
        } catch (error) {
          clearTimeout(timer)
          return reject(error)
        }
        id++
        if (now < deadline() && latencies.length < MAX_REQUESTS) return next()
        clearTimeout(timer)
        resolve()
      },
      fail(error) {
        clearTimeout(timer)
        reject(error)
      },
    }
    next()
  })
}

/** MiB per second of results of `bytes` bytes, one call after the other; the clock stops while an answer is checked. */
export async function measurePayload({ client }, bytes, seconds) {
  await client.openSessions(1)
  const connection = await client.connect({ readSize: 256 * 1024 })
  const expected = blobText(bytes)
  try {
    const times = []
    let total = 0
    for (let round = 0; round < 200; round++) {
      const { elapsed, messages } = await client.call(connection, 'blob', { bytes }, { id: round + 1 })
      const text = textOf(messages.at(-1), round + 1)
      if (text !== expected)
        throw new Error(`a blob of ${bytes} bytes arrived as ${text.length} characters that differ`)
      // The first one makes the text and the memory, here and in the server.
      if (round === 0) continue
      times.push(elapsed)
      total += elapsed
      if (total > seconds * 1000 && times.length >= 3) break
    }
    return { mibps: bytes / 1048576 / (median(times) / 1000) }
  } finally {
    connection.close()
  }
}

/** Progress notifications per second in calls of `count` each, which must arrive all, in order and under their token. */
export async function measureEvents({ client }, count, seconds) {
  await client.openSessions(1)
  const connection = await client.connect({ readSize: 256 * 1024 })
  try {
    const times = []
    let lost = 0
    let total = 0
    for (let round = 0; round < 50; round++) {
      const id = round + 1
      const token = `progress-${id}`
      const { elapsed, messages } = await client.call(connection, 'events', { count }, { id, token })
      lost = Math.max(lost, count - checkEvents(messages, id, token, count))
      if (round === 0) continue
      times.push(elapsed)
      total += elapsed
      if (total > seconds * 1000 && times.length >= 2) break
    }
    return { eps: (count - lost) / (median(times) / 1000), lost, count }
  } finally {
    connection.close()
  }
}

/** How many of the events arrived; throws if one is out of order, double, strange, or after the result. */
function checkEvents(messages, id, token, count) {
  if (textOf(messages.at(-1), id) !== `sent ${count}`) throw new Error('the result of events is wrong')
  let last = 0
  for (const { method, params } of messages.slice(0, -1)) {
    if (method !== 'notifications/progress') throw new Error(`unexpected ${method}`)
    if (params.progressToken !== token) throw new Error(`token ${params.progressToken} instead of ${token}`)
    if (!(params.progress > last && params.progress <= count))
      throw new Error(`event ${params.progress} after ${last}`)
    last = params.progress
  }
  return messages.length - 1
}

/**
 * KiB of resident memory per session, and per idle stream together with the session it needs. Each is the growth of a
 * product of its own, got by `fresh`, that nothing else has used: memory that sessions leave free when they have been opened
 * would hide what streams take, so a stream is not measured on top of them.
 */
export async function measureMemory(lane, fresh) {
  const { sessions, streams } = lane
  const result = { streams }
  if (sessions > 0) {
    const { kib, echoKib } = await fresh(bench => growth(bench, lane, sessions, false))
    Object.assign(result, { sessions, session: kib, sessionEcho: echoKib })
  }
  result.stream = (await fresh(bench => growth(bench, lane, streams, true))).kib
  return result
}

/** What `count` sessions, each with an idle stream if `streaming`, add to the product and to the echo servers, per piece. */
async function growth({ client, product }, lane, count, streaming) {
  const open = []
  const held = []
  const add = async number => {
    const none = new Array(number).fill(undefined)
    const ids = lane.era === 'legacy' ? await client.createSessions(number) : none
    if (streaming) await openStreams(client, lane, ids, open, held)
    return ids
  }
  try {
    // Load and compile what a session and a stream need, so that it is not counted.
    await add(Math.min(100, count >> 2))
    const before = await product.settledMemory()
    const ids = await add(count)
    const after = await product.settledMemory()
    const dead = open.filter(connection => !connection.open).length
    if (dead > 0) throw new Error(`${dead} of ${open.length} idle streams were closed`)
    if (lane.era === 'legacy') await checkSome(client, ids)
    if (streaming && lane.broadcasts) await checkBroadcast(client, held, ids[0])
    return {
      kib: (after.product - before.product) / count,
      echoKib: after.echoes > before.echoes ? (after.echo - before.echo) / count : 0,
    }
  } finally {
    for (const connection of open) connection.close()
  }
}

async function checkSome(client, sessions) {
  const connection = await client.connect()
  try {
    for (let index = 0; index < sessions.length; index += Math.ceil(sessions.length / 20)) {
      await client.echo(connection, `session ${index}`, sessions[index])
    }
  } finally {
    connection.close()
  }
}

/** One stream per entry of `sessions`, each on its own connection, in batches. `held` collects what arrives on each. */
async function openStreams(client, lane, sessions, open, held) {
  for (let start = 0; start < sessions.length; start += 50) {
    await all(sessions.slice(start, start + 50).map(session => openStream(client, lane, session, open, held)))
  }
}

async function openStream(client, lane, session, open, held) {
  const connection = await client.connect({ readSize: 4096 })
  open.push(connection)
  const stream = { text: '' }
  held.push(stream)
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no stream within 20 s')), 20_000)
    const settle = error => {
      clearTimeout(timer)
      if (error === undefined) resolve()
      else reject(error)
    }
    connection.send(client.dialect.stream(held.length, session), {
      head(status, head) {
        if (status !== 200 || !/text\/event-stream/i.test(head))
          return settle(new Error(`a stream was answered by status ${status} and no event stream`))
        if (lane.era !== 'modern') settle()
      },
      data(bytes) {
        stream.text += bytes.latin1Slice()
        if (lane.era === 'modern' && stream.text.includes('notifications/subscriptions/acknowledged'))
          settle()
      },
      done: () => settle(new Error('the stream ended')),
      fail: settle,
    })
  })
}

/** An idle stream that would not deliver is no stream: one change of the server must reach each of them. */
async function checkBroadcast(client, held, session) {
  const connection = await client.connect()
  try {
    await client.call(connection, 'changed', {}, { session })
    const deadline = performance.now() + 10_000
    const waiting = () => held.filter(({ text }) => !text.includes('notifications/tools/list_changed')).length
    while (waiting() > 0 && performance.now() < deadline)
      await new Promise(resolve => setTimeout(resolve, 50))
    if (waiting() > 0) throw new Error(`${waiting()} of ${held.length} idle streams missed a list change`)
  } finally {
    connection.close()
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

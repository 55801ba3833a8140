import { expect, it } from 'vitest'
import { upstream } from '../../../src/client/upstream.js'
import type { JSONRPCMessage } from '../../../src/protocol/message.js'
import { rawTarget } from '../../fixtures/memory-target.js'
import { callAsModern } from '../../fixtures/modern-client.js'

it('the progress of a task that anyport makes reaches the caller under its own token', async () => {
  const target = rawTarget(channel => {
    let token: unknown
    let waiting: unknown
    const reply = (id: unknown, result: object) =>
      channel.send({ jsonrpc: '2.0', id, result } as JSONRPCMessage)
    const progress = (step: number) =>
      channel.send({
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: token, progress: step },
      } as JSONRPCMessage)
    channel.listen({
      message: message => {
        if (!('method' in message) || !('id' in message)) return
        if (message.method === 'initialize') {
          reply(message.id, {
            protocolVersion: '2025-11-25',
            capabilities: { tools: {}, tasks: { requests: { tools: { call: {} } } } },
            serverInfo: { name: 'old', version: '1' },
          })
        } else if (message.method === 'tools/list') {
          const execution = { taskSupport: 'required' }
          reply(message.id, { tools: [{ name: 'long', inputSchema: { type: 'object' }, execution }] })
        } else if (message.method === 'tools/call') {
          token = message.params?._meta?.progressToken
          reply(message.id, { task: { taskId: 't', status: 'working', ttl: null } })
        } else if (message.method === 'tasks/result') {
          waiting = message.id
          progress(1)
          progress(2)
          reply(waiting, { content: [{ type: 'text', text: 'done' }] })
        }
      },
      closed: () => {},
    })
  })
  const up = upstream(target, { protocol: 'legacy' })
  const { notifications, response } = await callAsModern(
    up.handler,
    1,
    'tools/call',
    { name: 'long', _meta: { progressToken: 'mine' } },
    { capabilities: {} },
  )
  expect(response).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } })
  expect(notifications.map(n => [n.params?.progressToken, n.params?.progress])).toEqual([
    ['mine', 1],
    ['mine', 2],
  ])
  await up.close()
})

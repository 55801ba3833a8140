import { describe, expect, test } from 'vitest'
import { Context } from '../../../src/exchange/context.js'
import { callPerhapsAsTask, InsistingTools } from '../../../src/legacy/required-task.js'
import type { Session, SessionExchange } from '../../../src/legacy/session.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse } from '../../../src/protocol/message.js'

const context = () => new Context({ binding: 'internal' })
const text = (words: string, isError?: true) => ({
  content: [{ type: 'text', text: words }],
  ...(isError && { isError }),
})

/** A server with a tool that insists and one that fails; it notes what it was asked. */
function fixture(refusal: 'error' | 'tool error') {
  const asked: string[] = []
  const session = {
    async *request(request: JSONRPCRequest): SessionExchange {
      const { method, id, params } = request
      const asTask = params?.task !== undefined
      asked.push(`${method} ${params?.name ?? params?.taskId}${asTask ? ' as task' : ''}`)
      const result = (value: JSONObject): JSONRPCResponse => ({ jsonrpc: '2.0', id, result: value })
      if (method === 'tasks/result') return result(text('done'))
      if (params?.name === 'fails') return result(text('no luck', true))
      if (asTask) return result({ task: { taskId: 't1' } })
      if (refusal === 'tool error') return result(text('MCP error -32601: requires a task', true))
      return { jsonrpc: '2.0', id, error: { code: -32601, message: 'requires a task' } }
    },
  } as unknown as Session
  let lists = 0
  const insisting = new InsistingTools(async params => {
    lists++
    const [name, taskSupport] = params.cursor === undefined ? ['fails', 'optional'] : ['insists', 'required']
    const tools = [{ name, execution: { taskSupport } }]
    const nextCursor = params.cursor === undefined ? { nextCursor: 'second' } : {}
    return { jsonrpc: '2.0', id: 1, result: { tools, ...nextCursor } }
  })
  const call = async (name: string): Promise<JSONRPCResponse> => {
    const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } } as const
    const step = await callPerhapsAsTask(session, request, context(), insisting).next()
    if (step.done !== true) throw new Error('a notification was not expected')
    return step.value
  }
  return { asked, call, insisting, lists: () => lists }
}

describe('a tool that insists on a task', () => {
  test.each(['error', 'tool error'] as const)(
    'is never tried plainly, whatever it would say: %s',
    async refusal => {
      const { asked, call, insisting, lists } = fixture(refusal)
      expect(await call('insists')).toMatchObject({ result: text('done') })
      expect(await call('insists')).toMatchObject({ result: text('done') })
      expect(asked).toEqual([
        'tools/call insists as task',
        'tasks/result t1',
        'tools/call insists as task',
        'tasks/result t1',
      ])
      expect(lists()).toBe(2) // two pages, read once
      insisting.forget()
      await call('insists')
      expect(lists()).toBe(4)
    },
  )

  test('another tool that fails is called once', async () => {
    const { asked, call } = fixture('tool error')
    expect(await call('fails')).toMatchObject({ result: text('no luck', true) })
    expect(asked).toEqual(['tools/call fails'])
  })
})

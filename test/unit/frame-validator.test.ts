import { describe, expect, it } from 'vitest'
import type { JSONRPCMessage } from '../../src/protocol/message.js'
import { FrameValidator } from '../fixtures/frame-validator.js'

const frame = (message: object) => ({ jsonrpc: '2.0', ...message }) as JSONRPCMessage
const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const call = (params: object = {}) => frame({ id: 1, method: 'tools/call', params: { name: 'a', ...params } })

describe('the judge of frames', () => {
  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('knows %s', version => {
    const judge = new FrameValidator(version)
    expect(judge.check(call(), 'to-server')).toEqual([])
    expect(judge.check(frame({ id: 1, result: { content: [] } }), 'to-client')).toEqual([])
    const audio = { content: [{ type: 'audio', data: '', mimeType: 'audio/wav' }] }
    expect(judge.check(frame({ id: 1, result: audio }), 'to-client').length === 0).toBe(
      version > '2024-11-05',
    )
    expect(judge.check(frame({ id: 1, result: { content: 'text' } }), 'to-client')).not.toEqual([])
    expect(judge.check(frame({ id: '1', result: { content: [] } }), 'to-client')).not.toEqual([])
    expect(judge.check(frame({ id: 1, method: 'sampling/createMessage' }), 'to-server')).not.toEqual([])
    expect(judge.check(frame({ id: 2, method: 'server/discover' }), 'to-server')).not.toEqual([])
    expect(judge.check(call({ _meta: meta }), 'to-server')).toHaveLength(2)
    expect(judge.check(call({ requestState: 'x' }), 'to-server')).toHaveLength(1)
    expect(judge.check(frame({ id: 2, error: { code: -32022, message: '' } }), 'to-client')).toHaveLength(1)
    expect(judge.check(frame({ id: 3, method: 'com.example/own' }), 'to-client')).toEqual([])
  })

  it('knows 2026-07-28', () => {
    const judge = new FrameValidator('2026-07-28')
    expect(judge.check(call({ _meta: meta }), 'to-server')).toEqual([])
    expect(judge.check(call(), 'to-server')).not.toEqual([])
    const result = { resultType: 'complete', content: [] }
    expect(judge.check(frame({ id: 1, result }), 'to-client')).toEqual([])
    expect(judge.check(frame({ id: 1, result: { content: [] } }), 'to-client')).not.toEqual([])
    const ask = { resultType: 'input_required', inputRequests: { a: { method: 'roots/list' } } }
    expect(judge.check(frame({ id: 1, result: ask }), 'to-client')).toEqual([])
    const wrong = { resultType: 'input_required', inputRequests: { a: { method: 'tools/list' } } }
    expect(judge.check(frame({ id: 1, result: wrong }), 'to-client')).not.toEqual([])
    expect(judge.check(frame({ id: 2, method: 'ping', params: { _meta: meta } }), 'to-server')).not.toEqual(
      [],
    )
    expect(judge.check(frame({ id: 2, method: 'roots/list' }), 'to-client')).not.toEqual([])
    expect(judge.check(frame({ id: 2, error: { code: -32002, message: '' } }), 'to-client')).toHaveLength(1)
  })
})

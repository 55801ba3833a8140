import { afterEach, describe, expect, it } from 'vitest'
import { type Caller, Context } from '../../../src/exchange/context.js'
import { type AccessRule, accessRules } from '../../../src/middleware/exchange/access-rules.js'
import { authorization } from '../../../src/middleware/exchange/authorization.js'
import { gateway, type ServerGateway } from '../../../src/node/gateway.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { httpFace } from '../../../src/transport/http-face.js'
import { send } from '../../fixtures/http-request.js'
import { listed, listingServer } from '../../fixtures/listing-server.js'
import { modernRequest } from '../../fixtures/modern-request.js'

function guarded(rules: readonly AccessRule[], tools = ['read', 'write', 'delete_all']) {
  const server = listingServer('s', tools)
  server.prompts = [{ name: 'greet' }, { name: 'secret' }]
  server.resources = [{ uri: 'file:///docs/a' }, { uri: 'file:///etc/passwd' }]
  const handler = authorization({ rules: accessRules(rules) })(server.handler)
  const ask = (method: string, params: JSONObject = {}, caller: Partial<Caller> = {}) =>
    modernRequest(handler, method, params, { context: new Context({ binding: 'socket', ...caller }) })
  const names = async (caller?: Partial<Caller>) =>
    listed(await ask('tools/list', {}, caller)).map(({ name }) => name)
  return { server, handler, ask, names }
}

const alice: Partial<Caller> = { principal: 'alice', claims: { scope: 'mcp:read', role: ['dev', 'ops'] } }

describe('rules', () => {
  it('what none allows is neither listed nor there', async () => {
    const { ask, names, server } = guarded([{ allow: { tools: ['read'] } }])
    expect(await names()).toEqual(['read'])
    expect((await ask('tools/call', { name: 'read' })).error).toBeUndefined()
    const denied = await ask('tools/call', { name: 'write' })
    const unknown = await ask('tools/call', { name: 'wrote' })
    expect(denied.error).toEqual({ code: -32602, message: 'Unknown tool: write' })
    // The same for what there is and what there is not.
    expect(JSON.stringify(denied).replaceAll('write', 'wrote')).toBe(JSON.stringify(unknown))
    expect(listed(await ask('prompts/list'), 'prompts')).toEqual([])
    expect(listed(await ask('resources/list'), 'resources')).toEqual([])
    expect((await ask('com.example/own')).error?.code).toBe(-32601)
    expect(server.asked.filter(what => what.startsWith('tools/call'))).toEqual(['tools/call read'])
  })

  it('a denial wins, wherever it stands', async () => {
    const { names, ask } = guarded([{ deny: { tools: ['delete_*'] } }, { allow: {} }])
    expect(await names()).toEqual(['read', 'write'])
    expect((await ask('tools/call', { name: 'delete_all' })).error?.code).toBe(-32602)
    expect((await ask('com.example/own')).error).toBeUndefined()
  })

  it('by principal, and by claims', async () => {
    const { names } = guarded([
      { allow: { tools: ['read'] }, principals: ['alice', 'team-*'] },
      { allow: { tools: ['write'] }, claims: { role: ['ops'] } },
      { allow: { tools: ['delete_all'] }, principals: ['alice'], claims: { role: 'root' } },
    ])
    expect(await names({})).toEqual([])
    expect(await names({ principal: 'team-1' })).toEqual(['read'])
    expect(await names(alice)).toEqual(['read', 'write'])
    expect(await names({ principal: 'alice', claims: { role: 'root' } })).toEqual(['read', 'delete_all'])
    // Claims that every object has are nobody's.
    const odd = accessRules([{ allow: {}, claims: { constructor: ['x'] } }])
    expect(odd.verdict({ server: undefined, method: 'm' }, { binding: 'socket', claims: {} })).toBe('denied')
  })

  it('a missing scope is told to who signed in, and to nobody else', async () => {
    const { ask, names } = guarded([
      { allow: { tools: ['read'] }, scopes: ['mcp:read'] },
      { allow: { tools: ['write'] }, scopes: ['mcp:read', 'mcp:write'] },
    ])
    expect(await names(alice)).toEqual(['read'])
    expect((await ask('tools/call', { name: 'write' }, alice)).error).toMatchObject({
      code: -31007,
      data: { scope: 'mcp:write' },
    })
    expect((await ask('tools/call', { name: 'write' })).error?.code).toBe(-32602)
    expect((await ask('tools/call', { name: 'else' }, alice)).error?.code).toBe(-32602)
  })

  it('refuses rules that say something else than meant', () => {
    const wrong = (rule: object) => () => accessRules([rule as AccessRule])
    expect(wrong({ allow: {}, deny: {} })).toThrow('rules[0]: expected either "allow" or "deny"')
    expect(wrong({ allow: { tool: ['a'] } })).toThrow('rules[0].allow.tool: unknown')
    expect(wrong({ allow: {}, principal: ['a'] })).toThrow('rules[0].principal: unknown')
    expect(wrong({ allow: { tools: [] } })).toThrow('rules[0].allow.tools')
    expect(wrong({ deny: {}, scopes: ['a'] })).toThrow('rules[0].scopes')
    expect(wrong({ allow: {}, scopes: ['a"b'] })).toThrow('is no scope')
  })
})

describe('attacks', () => {
  const rules: AccessRule[] = [
    { allow: { tools: ['read'], prompts: ['greet'], resources: ['file:///docs/*'] } },
  ]

  it('a second name or URI in the request is not the one that counts', async () => {
    const { ask, server } = guarded(rules)
    const tries: [string, JSONObject][] = [
      ['resources/read', { uri: 'file:///etc/passwd', name: 'file:///docs/a' }],
      ['tools/call', { name: 'write', uri: 'read' }],
      ['prompts/get', { name: 'secret', uri: 'greet' }],
      [
        'completion/complete',
        { ref: { type: 'ref/resource', uri: 'file:///etc/passwd', name: 'file:///docs/a' } },
      ],
      ['completion/complete', { ref: { type: 'ref/prompt', name: 'secret', uri: 'greet' } }],
      ['completion/complete', { ref: { type: 'odd', name: 'greet', uri: 'file:///etc/passwd' } }],
      ['completion/complete', { ref: 'greet', name: 'greet' }],
      ['tools/call', { name: ['read'] }],
      ['tools/call', {}],
    ]
    for (const [method, params] of tries)
      expect([params, (await ask(method, params)).error?.code]).toEqual([params, expect.any(Number)])
    expect(server.asked).toEqual([])
  })

  it('subscriptions watch only what may be read', async () => {
    const { handler, server } = guarded(rules)
    const context = new Context({ binding: 'socket' })
    const exchange = handler(
      {
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: { notifications: { resourceSubscriptions: ['file:///etc/passwd', 'file:///docs/a'] } },
      },
      context,
    )
    const { value } = await exchange.next()
    expect(value).toMatchObject({ params: { notifications: { resourceSubscriptions: ['file:///docs/a'] } } })
    expect(server.requests[0]?.params?.notifications).toEqual({ resourceSubscriptions: ['file:///docs/a'] })
    context.cancel('hangup')
  })

  it('a list that was public is private, and one that cannot be read is empty', async () => {
    const { ask, server } = guarded(rules)
    server.cacheScope = 'public'
    expect((await ask('tools/list')).result?.cacheScope).toBe('private')
    const bytes = new TextEncoder().encode(
      '{"tools":[{"name":"read"},{"name":"write"},7,{}],"nextCursor":"x"}',
    )
    const raw = authorization({ rules: accessRules(rules) })(async function* (request) {
      return { jsonrpc: '2.0', id: request.id, result: RawJson.fromBytes(bytes) as never }
    })
    expect((await modernRequest(raw, 'tools/list')).result).toEqual({
      tools: [{ name: 'read' }],
      nextCursor: 'x',
      cacheScope: 'private',
    })
    const odd = authorization({ rules: accessRules(rules) })(async function* (request) {
      return { jsonrpc: '2.0', id: request.id, result: { tools: { 0: { name: 'write' } } } }
    })
    expect((await modernRequest(odd, 'tools/list')).result?.tools).toEqual([])
  })
})

describe('behind a gateway', () => {
  const opened: ServerGateway[] = []
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })

  it('holds per server, for the whole and each alone, and no list is of another caller', async () => {
    const rules = accessRules([
      { allow: { servers: ['files'], tools: ['read'] } },
      { allow: { servers: ['files'], tools: ['write'] }, scopes: ['w'] },
      { allow: { servers: ['git'] }, principals: ['bob'] },
    ])
    const files = listingServer('files', ['read', 'write'])
    const git = listingServer('git', ['read', 'push'])
    files.cacheScope = git.cacheScope = 'public'
    files.ttlMs = git.ttlMs = 60_000
    const one = gateway(
      { servers: { files: files.handler, git: git.handler } },
      { around: server => authorization({ rules, server }), audienceOf: caller => rules.classOf(caller) },
    )
    opened.push(one)
    const ask = (caller: Partial<Caller>, method: string, params: JSONObject = {}, handler = one.handler) =>
      modernRequest(handler, method, params, { context: new Context({ binding: 'socket', ...caller }) })
    const names = async (caller: Partial<Caller>) =>
      listed(await ask(caller, 'tools/list')).map(({ name }) => name)
    const bob = { principal: 'bob', claims: { scope: '' } }
    const all = await names(bob)
    expect(all).toHaveLength(3)
    expect(await names({ principal: 'eve' })).toHaveLength(1)
    // The same principal, with more scopes.
    expect(await names({ principal: 'bob', claims: { scope: 'w' } })).toHaveLength(4)
    expect(await names(bob)).toEqual(all)
    const push = all.find(name => String(name).includes('push')) as string
    expect((await ask(bob, 'tools/call', { name: push })).error).toBeUndefined()
    expect((await ask({ principal: 'eve' }, 'tools/call', { name: push })).error).toBeDefined()
    const alone = one.server('git')
    if (alone === undefined) throw new Error('No such server')
    expect(listed(await ask({ principal: 'eve' }, 'tools/list', {}, alone))).toEqual([])
    expect((await ask({ principal: 'eve' }, 'tools/call', { name: 'push' }, alone)).error).toBeDefined()
    expect(git.asked.filter(what => what === 'tools/call push')).toHaveLength(1)
  })
})

describe('on HTTP', () => {
  it('a missing scope is a 403 that says which', async () => {
    const { server } = guarded([])
    const rules = accessRules([{ allow: { tools: ['write'] }, scopes: ['mcp:write'] }])
    const signedIn = authorization({ rules })(server.handler)
    const { handler, close } = httpFace((request, context) =>
      signedIn(request, new Context({ ...context.caller, claims: { scope: 'mcp:read' } })),
    )
    const reply = await send(handler, {
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'prompts/get',
        'mcp-name': 'write',
      },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'prompts/get',
        params: {
          name: 'write',
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      },
    })
    expect(reply.status).toBe(200)
    expect(reply.json.error.code).toBe(-32602)
    const call = await send(handler, {
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'write',
      },
      body: {
        jsonrpc: '2.0',
        id: 2,
        method: 'tools/call',
        params: {
          name: 'write',
          arguments: {},
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      },
    })
    expect(call.status).toBe(403)
    expect(call.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="mcp:write"')
    expect(call.json.error.data).toEqual({ scope: 'mcp:write' })
    await close()
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { TransportError } from '../../../src/exchange/errors.js'
import type { GatewayEvent } from '../../../src/gateway/events.js'
import { createGateway, type Gateway, type GatewayOptions } from '../../../src/gateway/gateway.js'
import type { GatewayServer } from '../../../src/gateway/member.js'
import type { JSONObject, JSONRPCNotification } from '../../../src/protocol/message.js'
import { field, type ListingServer, listed, listingServer, tool } from '../../fixtures/listing-server.js'
import { type ModernRequestOptions, modernRequest } from '../../fixtures/modern-request.js'

const open: Gateway[] = []
afterEach(() => {
  for (const gateway of open.splice(0)) gateway.close()
})

function gatewayOf(
  servers: Readonly<Record<string, ListingServer | GatewayServer>>,
  options: GatewayOptions = {},
) {
  const events: GatewayEvent[] = []
  const gateway = createGateway(handlersOf(servers), {
    listTimeout: 200,
    onEvent: event => events.push(event),
    ...options,
  })
  open.push(gateway)
  const request = (method: string, params: JSONObject = {}, given: ModernRequestOptions = {}) =>
    modernRequest(gateway.handler, method, params, given)
  const names = async (method = 'tools/list', key = 'tools', given: ModernRequestOptions = {}) => {
    const entries = listed(await request(method, {}, given), key)
    return entries.map(entry => (entry.uri ?? entry.uriTemplate ?? entry.name) as string)
  }
  return { gateway, events, request, names }
}

function handlersOf(servers: Readonly<Record<string, ListingServer | GatewayServer>>) {
  return Object.fromEntries(
    Object.entries(servers).map(([name, server]) => [name, 'asked' in server ? server.handler : server]),
  )
}

const never = new Promise<void>(() => {})

describe('a call through a gateway', () => {
  it('reaches the tool of its server under its own name, and nothing else', async () => {
    const a = listingServer('a', ['search', 'b__c'])
    const b = listingServer('b', ['search'])
    const { request, names } = gatewayOf({ a, b })
    for (const name of await names()) {
      const { server, tool: own } = field(await request('tools/call', { name, arguments: { x: 1 } }))
      expect(name).toBe(`${server}__${own}`)
    }
    expect(a.asked.filter(what => what.startsWith('tools/call'))).toEqual([
      'tools/call search',
      'tools/call b__c',
    ])
  })

  it('needs no list where the name tells', async () => {
    const a = listingServer('a', ['search'])
    const b = listingServer('b')
    const { request } = gatewayOf({ a, b })
    await request('tools/call', { name: 'a__search' })
    expect(a.asked).toEqual(['tools/call search'])
    expect(b.asked).toEqual([])
  })

  it('keeps what else the request says', async () => {
    const a = listingServer('a', ['search'])
    const { request } = gatewayOf({ a })
    await request('tools/call', {
      name: 'a__search',
      arguments: { deep: [1] },
      'com.example/field': 7,
      _meta: { 'com.example/trace': 't' },
    })
    expect(a.requests[0]?.params).toMatchObject({
      name: 'search',
      arguments: { deep: [1] },
      'com.example/field': 7,
      _meta: { 'com.example/trace': 't' },
    })
  })

  it('finds tools whose names were cut, cleaned or renamed', async () => {
    const long = 'x'.repeat(70)
    const a = listingServer('Größe', [long, '测试', 'search', 'a__b'])
    const { request, names } = gatewayOf({
      Größe: { handler: a.handler, tools: { rename: { search: 'find' } } },
    })
    const exposed = await names()
    expect(exposed).toHaveLength(4)
    const called: unknown[] = []
    for (const name of exposed) {
      expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
      called.push(field(await request('tools/call', { name })).tool)
    }
    expect(called).toEqual([long, '测试', 'search', 'a__b'])
  })

  it('of a name without prefix that two servers have is refused, with what to call instead', async () => {
    const { request, names, events } = gatewayOf(
      { a: listingServer('a', ['search', 'one']), b: listingServer('b', ['search']) },
      { style: 'none' },
    )
    expect(await names()).toEqual(['a__search', 'one', 'b__search'])
    const { error } = await request('tools/call', { name: 'search' })
    expect(error).toEqual({
      code: -32602,
      message: 'Several servers have a tool search: use a__search or b__search',
    })
    expect((await request('tools/call', { name: 'b__search' })).result?.structuredContent).toMatchObject({
      server: 'b',
    })
    expect(events).toContainEqual({
      type: 'collision',
      kind: 'tools',
      name: 'search',
      between: ['a/search', 'b/search'],
      outcome: 'renamed',
    })
  })

  it('of nothing is an error of the parameters', async () => {
    const { request } = gatewayOf({ a: listingServer('a', ['x']) })
    for (const name of ['nobody__x', 'x', '']) {
      expect((await request('tools/call', { name })).error).toEqual({
        code: -32602,
        message: `Unknown tool: ${name}`,
      })
    }
    expect((await request('tools/call', {})).error?.code).toBe(-32602)
  })

  it('never runs a tool that is not offered', async () => {
    const a = listingServer('a', ['read_file', 'write_file', 'drop'])
    const { request, names } = gatewayOf(
      { a: { handler: a.handler, tools: { allow: ['*_file', 'drop'], deny: ['write*'] } } },
      { deny: ['a/drop'] },
    )
    expect(await names()).toEqual(['a__read_file'])
    for (const name of ['a__write_file', 'a__drop'])
      expect((await request('tools/call', { name })).error?.message).toBe(`Unknown tool: ${name}`)
    expect(a.asked.filter(what => what.startsWith('tools/call'))).toEqual([])
  })

  it('is renamed only where that meets nothing', async () => {
    const a = listingServer('a', ['search', 'find', 'other'])
    const { names, events, request } = gatewayOf({
      a: {
        handler: a.handler,
        tools: { rename: { search: 'find', other: 'more' }, describe: { find: 'Finds' } },
      },
    })
    expect(await names()).toEqual(['a__search', 'a__find', 'a__more'])
    expect(events).toEqual([
      { type: 'rename-refused', kind: 'tools', server: 'a', name: 'search', wanted: 'find' },
    ])
    expect(listed(await request('tools/list'))[1]?.description).toBe('Finds')
    expect((await request('tools/call', { name: 'a__more' })).result?.structuredContent).toMatchObject({
      tool: 'other',
    })
    expect((await request('tools/call', { name: 'a__other' })).error?.code).toBe(-32602)
  })

  it('takes its question and its state back to the server that asked', async () => {
    const a = listingServer('a', ['x'])
    const b = listingServer('b', ['x'])
    const { request } = gatewayOf({ a, b })
    const params = { name: 'a__x', arguments: { ask: true } }
    const asked = await request('tools/call', params)
    expect(asked.result?.resultType).toBe('input_required')
    const requestState = asked.result?.requestState
    const answers = { inputResponses: { who: { action: 'accept' } }, requestState }
    const { result } = await request('tools/call', { ...params, ...answers })
    expect(result?.structuredContent).toMatchObject({ state: 'state of a' })
    const elsewhere = await request('tools/call', { ...params, ...answers, name: 'b__x' })
    expect(elsewhere.error?.code).toBe(-32602)
    expect(b.requests).toEqual([])
  })

  it('says in each log line which server it is of, and leaves progress alone', async () => {
    const { request } = gatewayOf({ a: listingServer('a', ['x']) })
    const heard: JSONRPCNotification[] = []
    await request(
      'tools/call',
      { name: 'a__x', _meta: { progressToken: 7, 'io.modelcontextprotocol/logLevel': 'info' } },
      { onNotification: one => heard.push(one) },
    )
    expect(heard.map(({ params }) => params)).toEqual([
      { progressToken: 7, progress: 1 },
      { level: 'info', logger: 'a/db', data: 'one' },
      { level: 'info', logger: 'a', data: 'two' },
    ])
  })

  it('of an unknown method goes to a single server only', async () => {
    const one = gatewayOf({ a: listingServer('a') })
    expect((await one.request('com.example/own')).result).toMatchObject({ own: 'a' })
    const two = gatewayOf({ a: listingServer('a'), b: listingServer('b') })
    expect((await two.request('com.example/own')).error?.code).toBe(-32601)
  })
})

describe('merged lists', () => {
  it('hold all pages of all servers, by server name, whatever the order of loading', async () => {
    const servers = { beta: listingServer('beta'), alpha: listingServer('alpha') }
    servers.beta.tools = Array.from({ length: 25 }, (_, index) => tool(`t${24 - index}`))
    servers.beta.pageSize = 10
    servers.alpha.tools = [tool('z'), tool('y')]
    const { names } = gatewayOf(servers)
    const expected = ['alpha__z', 'alpha__y', ...servers.beta.tools.map(({ name }) => `beta__${name}`)]
    expect(await names()).toEqual(expected)
    const { beta, alpha } = servers
    expect(await gatewayOf({ alpha, beta }).names()).toEqual(expected)
  })

  it('keep every field of an entry', async () => {
    const a = listingServer('a')
    a.tools = [{ ...tool('x'), 'x-vendor': { deep: [1] }, annotations: { readOnlyHint: true } }]
    const { result } = await gatewayOf({ a }).request('tools/list')
    expect(result?.tools).toEqual([{ ...a.tools[0], name: 'a__x' }])
  })

  it('miss only the entries of a server that is slow or dead, which is visible', async () => {
    const a = listingServer('a', ['x'])
    const slow = listingServer('slow', ['x'])
    const dead = listingServer('dead', ['x'])
    slow.delay = never
    dead.failure = new TransportError('ERR_EXITED', 'It exited with 1')
    const { names, gateway, events, request } = gatewayOf({ a, slow, dead })
    const started = performance.now()
    expect(await names()).toEqual(['a__x'])
    expect(performance.now() - started).toBeLessThan(2_000)
    expect(gateway.servers()).toMatchObject([
      { name: 'a', state: 'available' },
      { name: 'dead', state: 'unavailable', error: { message: 'It exited with 1' } },
      { name: 'slow', state: 'unavailable' },
    ])
    expect(events.map(({ type }) => type)).toEqual(['unavailable', 'unavailable'])
    const { result } = await request('tools/list')
    expect(result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    // Nobody waits twice for the one that is slow.
    const again = performance.now()
    await names()
    expect(performance.now() - again).toBeLessThan(150)
  })

  it('of servers that all fail say why', async () => {
    const a = listingServer('a')
    a.failure = new TransportError('ERR_SPAWN', 'No such command')
    expect((await gatewayOf({ a }).request('tools/list')).error?.message).toBe('No such command')
    const b = listingServer('b')
    b.failure = new Error('secret')
    const { error } = await gatewayOf({ a, b }).request('tools/list')
    expect(error?.message).toBe('None of the servers answers. a: No such command; b')
  })

  it('keep what a server listed while it is away, for a time', async () => {
    const a = listingServer('a', ['x'])
    const b = listingServer('b', ['y'])
    const { names, gateway } = gatewayOf({ a, b }, { keepLists: 300 })
    expect(await names()).toEqual(['a__x', 'b__y'])
    b.failure = new TransportError('ERR_EXITED', 'gone')
    b.announces = false
    b.drop()
    expect(await names()).toEqual(['a__x', 'b__y'])
    expect(gateway.servers()[1]?.state).toBe('unavailable')
    await expect.poll(() => names(), { timeout: 5_000 }).toEqual(['a__x'])
    b.failure = undefined
    await expect.poll(() => names(), { timeout: 15_000 }).toEqual(['a__x', 'b__y'])
    expect(gateway.servers()[1]?.state).toBe('available')
  }, 20_000)

  it('are asked for once by many at a time, and not at all while they are watched', async () => {
    const a = listingServer('a', ['x'])
    const { names } = gatewayOf({ a })
    await Promise.all(Array.from({ length: 10 }, () => names()))
    expect(a.asked.filter(what => what === 'tools/list')).toHaveLength(1)
    await expect.poll(() => a.listening()).toBe(1)
    await names()
    const before = a.asked.length
    for (let index = 0; index < 5; index++) await names()
    expect(a.asked.length).toBe(before)
    a.tools = [tool('new')]
    a.announce('notifications/tools/list_changed')
    await expect.poll(() => names()).toEqual(['a__new'])
  })

  it('are asked for again where nobody tells of changes, unless the server gives a time', async () => {
    const a = listingServer('a', ['x'])
    a.announces = false
    const { names, request } = gatewayOf({ a })
    await names()
    await names()
    a.tools = [tool('y')]
    expect(await names()).toEqual(['a__y'])
    a.ttlMs = 60_000
    await names()
    a.tools = [tool('z')]
    expect(await names()).toEqual(['a__y'])
    const { result } = await request('tools/list')
    expect(result?.ttlMs).toBeGreaterThan(50_000)
    expect(result?.ttlMs).toBeLessThanOrEqual(60_000)
  })

  it('are never shared between principals or capabilities, unless they are public', async () => {
    const a = listingServer('a', ['x'])
    a.announces = false
    a.ttlMs = 60_000
    const { names } = gatewayOf({ a })
    const lists = () => a.asked.filter(what => what === 'tools/list').length
    await names('tools/list', 'tools', { principal: 'one' })
    await names('tools/list', 'tools', { principal: 'one' })
    expect(lists()).toBe(1)
    await names('tools/list', 'tools', { principal: 'two' })
    await names('tools/list', 'tools', { principal: 'one', capabilities: { roots: {} } })
    expect(lists()).toBe(3)
    a.cacheScope = 'public'
    await names('tools/list', 'tools', { principal: 'three' })
    await names('tools/list', 'tools', { principal: 'four' })
    expect(lists()).toBe(4)
    await names('tools/list', 'tools', { principal: 'four', capabilities: {} })
    expect(lists()).toBe(5)
  })

  it('page by cursors that survive a restart and changes', async () => {
    const servers = () => {
      const [a, b] = [listingServer('a'), listingServer('b')]
      a.tools = Array.from({ length: 7 }, (_, index) => tool(`t${index}`))
      b.tools = Array.from({ length: 6 }, (_, index) => tool(`t${index}`))
      return { a, b }
    }
    const walk = async (change: (page: number, all: ReturnType<typeof servers>) => void = () => {}) => {
      const found: string[] = []
      let cursor: unknown
      for (let page = 0; page < 20; page++) {
        const all = servers()
        change(page, all)
        // Another gateway for each page: nothing is remembered.
        const { request } = gatewayOf(all, { pageSize: 4 })
        const reply = await request('tools/list', cursor === undefined ? {} : { cursor })
        found.push(...listed(reply).map(({ name }) => name as string))
        cursor = reply.result?.nextCursor
        if (cursor === undefined) return found
      }
      throw new Error('no end')
    }
    const whole = await gatewayOf(servers()).names()
    expect(await walk()).toEqual(whole)
    // The entry that a cursor names is gone, or has moved.
    const without = await walk((page, { a }) => {
      if (page > 0) a.tools = a.tools.filter(({ name }) => name !== 't3')
    })
    expect(without).toEqual(whole)
    const more = await walk((page, { a }) => {
      if (page > 0) a.tools = [tool('first'), ...a.tools]
    })
    expect(more).toEqual(whole)
  })

  it('refuse cursors of others', async () => {
    const { request } = gatewayOf({ a: listingServer('a', ['x']) }, { pageSize: 1 })
    for (const cursor of ['nonsense', '', 7, btoa('[1]'), btoa('["prompts",0,"a","x"]')])
      expect((await request('tools/list', { cursor })).error?.code).toBe(-32602)
  })
})

describe('resources, prompts and completions', () => {
  function both() {
    const a = listingServer('a')
    const b = listingServer('b')
    a.prompts = [{ name: 'review' }]
    b.prompts = [{ name: 'review' }, { name: 'résumé' }]
    a.resources = [
      { uri: 'memo://shared', name: 's' },
      { uri: 'file:///a', name: 'a' },
    ]
    b.resources = [{ uri: 'memo://shared', name: 's' }]
    a.templates = [
      { uriTemplate: 'file:///{+path}', name: 'files' },
      { uriTemplate: 'memo://{id}', name: 'memo' },
    ]
    b.templates = [
      { uriTemplate: 'db://{table}/{row}', name: 'rows' },
      { uriTemplate: 'memo://{id}', name: 'memo' },
    ]
    return { a, b }
  }
  const shared = ['anyport:a/memo://shared', 'anyport:b/memo://shared']

  it('keep their URIs unless several servers have the same', async () => {
    const { names } = gatewayOf(both())
    expect(await names('resources/list', 'resources')).toEqual([shared[0], 'file:///a', shared[1]])
    expect(await names('resources/templates/list', 'resourceTemplates')).toEqual([
      'file:///{+path}',
      'anyport:a/memo://{id}',
      'db://{table}/{row}',
      'anyport:b/memo://{id}',
    ])
  })

  it.each([
    ['file:///a', 'a', 'file:///a'],
    ['file:///deep/down', 'a', 'file:///deep/down'],
    ['db://users/7', 'b', 'db://users/7'],
    [shared[1], 'b', 'memo://shared'],
    ['anyport:a/memo://5', 'a', 'memo://5'],
    ['anyport:b/memo://5', 'b', 'memo://5'],
    // No template fits, but only one server has anything of the scheme.
    ['db://users', 'b', 'db://users'],
  ])('%s is read at %s', async (uri, owner, own) => {
    const servers = both()
    const { result } = await gatewayOf(servers).request('resources/read', { uri })
    expect(result?.contents).toEqual([{ uri, text: owner }])
    expect(servers[owner as 'a' | 'b'].asked).toContain(`resources/read ${own}`)
  })

  it('that several servers have are not read by guess', async () => {
    const { request } = gatewayOf(both())
    const { error } = await request('resources/read', { uri: 'memo://shared' })
    expect(error?.message).toBe(`Several servers have memo://shared: read ${shared.join(' or ')}`)
    expect((await request('resources/read', { uri: 'memo://5' })).error?.message).toContain(
      'anyport:b/memo://5',
    )
    expect((await request('resources/read', { uri: 'http://else' })).error?.code).toBe(-32602)
  })

  it('of prompts get names like tools', async () => {
    const { names, request } = gatewayOf(both())
    const prompts = await names('prompts/list', 'prompts')
    expect(prompts.slice(0, 2)).toEqual(['a__review', 'b__review'])
    expect((await request('prompts/get', { name: 'b__review' })).result?.description).toBe('b/review')
    expect((await request('prompts/get', { name: prompts[2] })).result?.description).toBe('b/résumé')
  })

  it('are completed where they belong', async () => {
    const { request } = gatewayOf(both())
    const complete = async (ref: JSONObject) => {
      const reply = await request('completion/complete', { ref, argument: { name: 'x', value: 'y' } })
      return field(reply, 'completion').values as string[]
    }
    expect(await complete({ type: 'ref/prompt', name: 'b__review' })).toEqual([
      'b',
      '{"type":"ref/prompt","name":"review"}',
    ])
    expect(await complete({ type: 'ref/resource', uri: 'anyport:b/memo://{id}' })).toEqual([
      'b',
      '{"type":"ref/resource","uri":"memo://{id}"}',
    ])
    expect((await complete({ type: 'ref/resource', uri: 'db://{table}/{row}' }))[0]).toBe('b')
    expect((await request('completion/complete', { ref: { type: 'ref/other' } })).error?.code).toBe(-32602)
  })
})

describe('the description of a gateway', () => {
  it('is the union of its servers', async () => {
    const a = listingServer('a')
    const b = listingServer('b')
    a.instructions = 'Use A.'
    b.instructions = 'Use B.'
    a.capabilities = { logging: {}, experimental: { 'com.example/a': { x: 1 } } }
    b.capabilities = {
      completions: {},
      resources: { subscribe: true },
      experimental: { 'com.example/a': { y: 2 }, 'com.example/b': {} },
      extensions: { 'io.modelcontextprotocol/tasks': {}, 'com.example/ui': {} },
    }
    const { result } = await gatewayOf({ a, b }, { instructions: 'Hello.' }).request('server/discover')
    expect(result).toEqual({
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {},
        experimental: { 'com.example/a': { x: 1, y: 2 }, 'com.example/b': {} },
        extensions: { 'com.example/ui': {} },
      },
      instructions: 'Hello.\n\n# a\n\nUse A.\n\n# b\n\nUse B.',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'anyport', version: '0' } },
      ttlMs: 0,
      cacheScope: 'private',
    })
  })

  it('promises every list where a server is silent', async () => {
    const a = listingServer('a')
    a.delay = never
    const { result } = await gatewayOf({ a, b: listingServer('b') }, { discoverTimeout: 50 }).request(
      'server/discover',
    )
    expect(result?.capabilities).toEqual({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true },
    })
  })

  it('of one server without prefix is the server', async () => {
    const a = listingServer('a')
    a.instructions = 'Use A.'
    const { result } = await gatewayOf({ a }, { style: 'none' }).request('server/discover')
    expect(result?.instructions).toBe('Use A.')
    expect(result?._meta).toEqual({ 'io.modelcontextprotocol/serverInfo': { name: 'a', version: '1' } })
  })
})

describe('each server alone', () => {
  it('has its names untouched', async () => {
    const a = listingServer('a', ['search'])
    const { gateway } = gatewayOf({ a, b: listingServer('b', ['search']) })
    const alone = gateway.server('a')
    if (alone === undefined) throw new Error('no server')
    const { result } = await modernRequest(alone, 'tools/call', { name: 'search' })
    expect(result?.structuredContent).toMatchObject({ server: 'a' })
    expect(gateway.server('nobody')).toBeUndefined()
    gateway.change({ remove: ['a'] })
    expect((await modernRequest(alone, 'tools/list')).error?.message).toBe('The server a was removed')
  })
})

describe('wrong options', () => {
  it.each<[Record<string, GatewayServer>, GatewayOptions]>([
    [{ '': { handler: listingServer('a').handler } }, {}],
    [{ a: { handler: 7 as never } }, {}],
    [{ a: { handler: listingServer('a').handler, tools: { allow: [''] } } }, {}],
    [{ a: { handler: listingServer('a').handler, prefix: 'a b' } }, {}],
    [{ a: { handler: listingServer('a').handler, tools: { rename: { x: 'z', y: 'z' } } } }, {}],
    [{}, { limit: 10 }],
    [{}, { maxTools: 3 }],
    [{}, { listTimeout: 0 }],
    [{}, { pageSize: -1 }],
    [{}, { deny: [''] }],
    [{}, { always: [''] }],
  ])('are refused: %#', (servers, options) => {
    expect(() => createGateway(servers, options)).toThrow(TypeError)
  })
})

it('callers who are shown the same share what is kept of it', async () => {
  const a = listingServer('a', ['x'])
  a.announces = false
  const { request } = gatewayOf({ a })
  const list = async (principal: string) => {
    // Each answer is a list of its own, as from a wire.
    a.tools = structuredClone(a.tools)
    return (await request('tools/list', {}, { principal })).result
  }
  const first = await list('one')
  expect(await list('two')).toBe(first)
  expect(await list('one')).toBe(first)
  a.tools = [tool('y')]
  const other = await list('one')
  expect(other?.tools).toMatchObject([{ name: 'a__y' }])
  expect(await list('two')).toBe(other)
})

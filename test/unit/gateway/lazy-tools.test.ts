import { describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions } from '../../../src/gateway/gateway.js'
import { toolIndex } from '../../../src/gateway/tool-search.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { field, listed, listingServer, tool } from '../../fixtures/listing-server.js'
import { modernRequest } from '../../fixtures/modern-request.js'

/** Three servers with sixty tools each: equal, long, unicode, and with `__`. */
function hundredAndEighty() {
  const servers = Object.fromEntries(
    ['alpha', 'beta', 'gämma'].map(name => [
      name,
      listingServer(
        name,
        Array.from({ length: 15 }, (_, index) => [
          `search_${index}`,
          `${'long_'.repeat(13)}tool_${index}`,
          `测试-${index}-é`,
          `a__b_${index}`,
        ]).flat(),
      ).handler,
    ]),
  )
  const gatewayOf = (options: GatewayOptions) => {
    const events: unknown[] = []
    const { handler } = createGateway(servers, { onEvent: event => events.push(event), ...options })
    const request = (method: string, params: JSONObject = {}) => modernRequest(handler, method, params)
    const names = async () => listed(await request('tools/list')).map(({ name }) => name as string)
    const call = (name: string, args: JSONObject = {}) => request('tools/call', { name, arguments: args })
    return { request, names, call, events }
  }
  return { servers, gatewayOf }
}

const LAZY = ['search_tools', 'describe_tool', 'call_tool']

describe('the tools that are listed', () => {
  it.each<GatewayOptions>([{}, { maxTools: 40 }, { lazy: true }, { lazy: true, style: 'none' }])(
    'leave all 180 callable: %j',
    async options => {
      const { gatewayOf } = hundredAndEighty()
      const whole = await gatewayOf(options.style === undefined ? {} : { style: options.style }).names()
      expect(new Set(whole).size).toBe(180)
      const { call, names } = gatewayOf(options)
      expect(await names()).toHaveLength(options.maxTools ?? (options.lazy ? 3 : 180))
      const reached = new Set<string>()
      for (const name of whole) {
        expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
        const reply = await call(name, { n: 1 })
        const { server, tool: own, arguments: given } = field(reply)
        expect(given).toEqual({ n: 1 })
        reached.add(`${server}/${own}`)
        if (options.lazy || options.maxTools !== undefined) {
          const through = await call('call_tool', { name, arguments: { n: 1 } })
          expect(through.result).toEqual(reply.result)
        }
      }
      expect(reached.size).toBe(180)
    },
  )

  it('are within the budget, with a share for each server', async () => {
    const { gatewayOf } = hundredAndEighty()
    const { names, events } = gatewayOf({ maxTools: 40, always: ['beta__a__b_1?'] })
    const listed = await names()
    expect(listed).toHaveLength(40)
    expect(listed.slice(0, 3)).toEqual(LAZY)
    for (const pinned of ['10', '11', '12', '13', '14']) expect(listed).toContain(`beta__a__b_${pinned}`)
    for (const server of ['alpha__', 'beta__', 'gamma'])
      expect(listed.filter(name => name.startsWith(server)).length).toBeGreaterThanOrEqual(10)
    expect(events).toContainEqual({ type: 'over-budget', tools: 180, hidden: 143 })
  })

  it('are all of them where they fit', async () => {
    const { handler } = createGateway({ a: listingServer('a', ['x', 'y']).handler }, { maxTools: 4 })
    const reply = await modernRequest(handler, 'tools/list')
    expect(listed(reply).map(({ name }) => name)).toEqual(['a__x', 'a__y'])
  })

  it('are three and the pinned ones in lazy mode', async () => {
    const { gatewayOf } = hundredAndEighty()
    expect(await gatewayOf({ lazy: true, always: ['*__search_3'] }).names()).toEqual([
      ...LAZY,
      'alpha__search_3',
      'beta__search_3',
    ])
  })

  it('never give the three names to a server', async () => {
    const a = listingServer('a', ['call_tool', 'x'])
    const { handler } = createGateway({ a: a.handler }, { lazy: true, always: ['*'], style: 'none' })
    const reply = await modernRequest(handler, 'tools/list')
    expect(listed(reply).map(({ name }) => name)).toEqual([...LAZY, 'a__call_tool', 'x'])
    const called = await modernRequest(handler, 'tools/call', {
      name: 'call_tool',
      arguments: { name: 'a__call_tool' },
    })
    expect(called.result?.structuredContent).toMatchObject({ server: 'a', tool: 'call_tool' })
  })
})

describe('the three tools', () => {
  it('find, describe and call', async () => {
    const files = listingServer('files')
    files.tools = [tool('read_file', 'Reads a file'), tool('delete_file', 'Deletes a file\n\nFor ever.')]
    const { handler } = createGateway(
      { files: files.handler, other: listingServer('other', ['x']).handler },
      { lazy: true },
    )
    const call = (name: string, args: unknown) =>
      modernRequest(handler, 'tools/call', { name, arguments: args })
    const found = await call('search_tools', { query: 'delete files', limit: 1 })
    expect(found.result?.structuredContent).toEqual({
      tools: [
        {
          name: 'files__delete_file',
          server: 'files',
          description: 'Deletes a file',
          arguments: 'path?: string',
        },
      ],
      total: 3,
    })
    expect(found.result?.content).toEqual([
      { type: 'text', text: 'files__delete_file(path?: string): Deletes a file' },
    ])
    const described = await call('describe_tool', { name: 'files__read_file' })
    expect(described.result?.structuredContent).toEqual({
      tool: { ...files.tools[0], name: 'files__read_file' },
    })
    const called = await call('call_tool', { name: 'files__read_file', arguments: { path: '/x' } })
    expect(called.result?.structuredContent).toMatchObject({ tool: 'read_file', arguments: { path: '/x' } })
  })

  it('carry the questions of what they call', async () => {
    const a = listingServer('a', ['x'])
    const { handler } = createGateway({ a: a.handler }, { lazy: true })
    const params = { name: 'call_tool', arguments: { name: 'a__x', arguments: { ask: true } } }
    const asked = await modernRequest(handler, 'tools/call', params)
    expect(asked.result?.resultType).toBe('input_required')
    const { requestState } = asked.result ?? {}
    const answer = { inputResponses: { who: {} }, requestState }
    const { result } = await modernRequest(handler, 'tools/call', { ...params, ...answer })
    expect(result?.structuredContent).toMatchObject({ state: 'state of a' })
  })

  it.each([
    ['search_tools', {}],
    ['search_tools', { query: ' ' }],
    ['search_tools', { query: 'x', limit: 51 }],
    ['search_tools', 'x'],
    ['describe_tool', { name: 'a__nothing' }],
    ['call_tool', {}],
    ['call_tool', { name: 'call_tool' }],
    ['call_tool', { name: 'search_tools' }],
    ['call_tool', { name: 'a__x', arguments: [] }],
    ['call_tool', { name: 'a__hidden' }],
  ])('refuse %s %j', async (name, args) => {
    const a = listingServer('a', ['x', 'hidden'])
    const { handler } = createGateway(
      { a: { handler: a.handler, tools: { deny: ['hidden'] } } },
      { lazy: true },
    )
    expect((await modernRequest(handler, 'tools/call', { name, arguments: args })).error?.code).toBe(-32602)
  })

  it('do not exist where all tools are listed', async () => {
    const { handler } = createGateway({ a: listingServer('a', ['x']).handler })
    const { error } = await modernRequest(handler, 'tools/call', {
      name: 'search_tools',
      arguments: { query: 'x' },
    })
    expect(error?.message).toBe('Unknown tool: search_tools')
  })
})

describe('searching', () => {
  const entries = [
    ['github', 'create_issue', 'Opens a new issue in a repository'],
    ['github', 'list_issues', 'Lists issues of a repository, with filters'],
    ['github', 'createPullRequest', 'Proposes changes to a repository'],
    ['github', 'search_code', 'Finds code by text'],
    ['files', 'read_text_file', 'Read the complete contents of a file as text'],
    ['files', 'write_file', 'Create a new file or overwrite an existing one'],
    ['files', 'list_directory', 'Lists files and folders of a directory'],
    ['memory', 'create_entities', 'Create several new entities in the knowledge graph'],
    ['memory', 'search_nodes', 'Search for nodes in the knowledge graph by a query'],
    ['slack', 'post_message', 'Sends a message to a channel'],
    ['mail', 'send_email', 'Sends an e-mail to somebody, with attachments'],
    ['calendar', 'add_event', 'Schedules a meeting'],
  ] as const
  const index = toolIndex(
    entries.map(([server, name, description]) => ({
      server,
      exposed: `${server}__${name}`,
      entry: { name, description },
    })),
  )

  it.each([
    ['create issue', 'create_issue'],
    ['open an issue', 'create_issue'],
    ['pull request', 'createPullRequest'],
    ['reading files', 'read_text_file'],
    ['write a file', 'write_file'],
    ['send email', 'send_email'],
    ['message a slack channel', 'post_message'],
    ['knowledge graph search', 'search_nodes'],
    ['schedule meetings', 'add_event'],
    ['directories', 'list_directory'],
    ['repo issues list', 'list_issues'],
    ['calendar', 'add_event'],
    ['files__write_file', 'write_file'],
    ['search_code', 'search_code'],
  ])('%s finds %s first', (query, best) => {
    expect(index.search(query, 3)[0]?.entry.name).toBe(best)
  })

  it('finds nothing for words that no tool has', () => {
    expect(index.search('quantum', 10)).toEqual([])
    expect(index.search('', 10)).toEqual([])
    expect(toolIndex([]).search('x', 10)).toEqual([])
  })

  it('is fast enough for a thousand tools and a long query', () => {
    const many = toolIndex(
      Array.from({ length: 1_000 }, (_, index) => ({
        server: 's',
        exposed: `s__tool_${index}`,
        entry: { name: `tool_${index}`, description: `Does thing number ${index} with word${index % 50}` },
      })),
    )
    const started = performance.now()
    expect(many.search(`word7 ${'tool '.repeat(10_000)}`, 5)).toHaveLength(5)
    expect(performance.now() - started).toBeLessThan(2_000)
  })
})

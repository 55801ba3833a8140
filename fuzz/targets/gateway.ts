/** What servers call their things, and how clients ask for them. */

import { matchesGlob } from '../../src/exchange/glob.js'
import { printable } from '../../src/exchange/printable.js'
import { mergeByUri, mergeNamed } from '../../src/gateway/catalog.js'
import { exposedNames, type NameStyle } from '../../src/gateway/exposed-names.js'
import { member } from '../../src/gateway/member.js'
import { Pages } from '../../src/gateway/pages.js'
import { isQualifiedUri, qualifiedUri, splitQualifiedUri } from '../../src/gateway/qualified-uri.js'
import { routeUri } from '../../src/gateway/resource-route.js'
import { toolIndex } from '../../src/gateway/tool-search.js'
import { uriPattern } from '../../src/gateway/uri-template.js'
import { type CallState, createSealer } from '../../src/legacy/request-state.js'
import { accessRules } from '../../src/middleware/exchange/access-rules.js'
import { RpcError } from '../../src/protocol/errors.js'
import { mutateJson, mutateText } from '../mutate.js'
import { attempt, must, type Target } from '../target.js'

const NAMES = [
  'read_file',
  'files__read',
  'a_b',
  'Ünïcode',
  'x'.repeat(70),
  'tool_0abcdefgh',
  '__proto__',
  'search.web',
  'a b',
  '_',
]
const idle = (() => {}) as never
const servers = ['files', 'files__x', 'web', 'files_'].map(name => member(name, idle, () => true))

/** Each tool has a name of its own that is legal everywhere, whatever servers call theirs; a name leads back to its tool. */
export const toolNames: Target = {
  name: 'tool-names',
  weight: 1,
  make: random =>
    Array.from({ length: 1 + random.below(8) }, () =>
      mutateText(random, NAMES, ['__', '_0', '-', 'files']),
    ).join('\n'),
  check(text: string, random) {
    const own = text.split('\n')
    const limit = random.pick([40, 64, 128])
    const names = exposedNames({
      style: random.pick(['server__tool', 'server_tool', 'server-tool', 'none'] as readonly NameStyle[]),
      limit,
    })
    const parts = servers
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(server => ({
        member: server,
        entries: own.filter(() => random.chance(0.6)).map(name => ({ name })),
      }))
    const { listed, routes } = mergeNamed('tools', parts, names)
    must(new Set(listed.map(({ exposed }) => exposed)).size === listed.length, 'two have one name')
    for (const { exposed, member: owner, name } of listed) {
      must(
        /^[A-Za-z0-9_-]+$/.test(exposed) && exposed.length <= limit,
        () => `no name is ${JSON.stringify(exposed)}`,
      )
      const route = routes.get(exposed)
      must(route?.member === owner && route.name === name, () => `${exposed} leads elsewhere`)
    }
  },
}

export const uris: Target = {
  name: 'uris',
  weight: 1,
  make: random =>
    mutateText(
      random,
      [
        'file:///a/b',
        'anyport:files/file:///x',
        'anyport:files%2F/x',
        'test://resource/2',
        'anyport:%zz/x',
        'a',
      ],
      ['anyport:', '/', '%', '%2F', ':', '//'],
    ),
  check(uri: string, random) {
    const server = random.pick(servers)
    const split = splitQualifiedUri(qualifiedUri(server.name, uri))
    must(split?.[0] === server.name && split[1] === uri, () => `came back as ${JSON.stringify(split)}`)
    must(isQualifiedUri(uri) || splitQualifiedUri(uri) === undefined, 'an unqualified URI has a server')
    const listed = [uri, 'file:///a/b', 'anyport:files/x']
    const parts = servers.map(one => ({
      member: one,
      entries: listed.filter(() => random.chance(0.4)).map(item => ({ uri: item })),
    }))
    const catalog = mergeByUri('resources', parts)
    for (const { exposed, member: owner, name } of catalog.listed) {
      const route = routeUri(exposed, catalog, mergeByUri('templates', []), asked =>
        servers.find(({ name }) => name === asked),
      )
      must(
        route.member === owner && route.name === name,
        () => `${exposed} leads to ${route.member.name} ${route.name}`,
      )
    }
    attempt(
      () =>
        routeUri(
          uri,
          catalog,
          mergeByUri('templates', [{ member: server, entries: [{ uriTemplate: uri }] }]),
          () => undefined,
        ),
      RpcError,
    )
  },
}

export const templates: Target = {
  name: 'uri-templates',
  weight: 1,
  make: random =>
    `${mutateText(random, ['file:///{path}', 'a{+b}{?c,d}', '{x}{y}', 'http://h/{a}/b{/c}{#d}', 'plain'], ['{', '}', '{+x}', '{?q*}', '{a}{b}', '/'])}\n${mutateText(random, ['file:///x/y', 'a/b?c=1', 'http://h/1/b/2#3', 'plain'], ['/', '?', '#', 'a'])}`,
  check(text: string) {
    const [template = '', uri = ''] = text.split('\n')
    const pattern = uriPattern(template)
    if (pattern === undefined) return
    const strict = pattern.matches(uri, true)
    must(!strict || pattern.matches(uri, false), 'strict takes more than lenient')
    if (!template.includes('{')) must(strict === (uri === template), 'a template without expressions')
    // What it certainly makes: each expression empty.
    must(pattern.matches(template.replace(/\{[^{}]*\}/g, ''), false), 'does not take what it makes')
  },
}

export const cursors: Target = {
  name: 'cursors',
  weight: 1,
  make: random =>
    mutateText(
      random,
      [
        ...CURSORS,
        btoa('["tools",0,"files","x"]'),
        btoa('["tools",1e9,"a","b"]'),
        btoa('["tools",-5,"a","b"]'),
      ],
      ['=', 'WyJ0', '+', '/'],
    ),
  check(text: string) {
    const page = attempt(() => pages.page(text), RpcError)
    if (!('value' in page)) return
    const { tools, nextCursor } = page.value.parse() as { tools: unknown[]; nextCursor?: unknown }
    must(Array.isArray(tools) && tools.length <= 3, 'no page')
    must(nextCursor === undefined || typeof nextCursor === 'string', 'no cursor')
  },
}

const sealer = createSealer('a key that is long enough for all')
const STATE: CallState = {
  call: 'c',
  round: 1,
  method: 'tools/call',
  target: 't',
  digest: 'd',
  principal: 'alice',
  expires: 4e12,
}
const sealedStates = await Promise.all([STATE, { ...STATE, round: 2 }].map(state => sealer.seal(state)))

export const states: Target = {
  name: 'request-state',
  weight: 0.5,
  make: random => mutateText(random, sealedStates, ['A', '-', '_', '=']),
  async check(text: string) {
    const isOurs = sealedStates.includes(text)
    try {
      const state = await sealer.open(text)
      // Base64 has several spellings of the same bytes.
      const same = sealedStates.some(sealed =>
        Buffer.from(sealed, 'base64url').equals(Buffer.from(text.replace(/[\t\n\f\r ]/g, ''), 'base64url')),
      )
      must(same && state.principal === 'alice', () => `a forged state was opened: ${JSON.stringify(state)}`)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      must(!isOurs, 'our own was refused')
    }
  },
}

export const globs: Target = {
  name: 'globs',
  weight: 1,
  make: random =>
    `${mutateText(random, ['read_*', '*', '?', 'a*b*c', '**', 'files/*'], ['*', '?', 'a', '.'])}\n${mutateText(random, ['read_file', '', 'abc', 'files/x', 'aXbYc'], ['a', 'b', '*'])}`,
  check(text: string) {
    const [pattern = '', name = ''] = text.split('\n')
    const found = matchesGlob(pattern, name)
    // The reference is an expression, which may take forever for more stars.
    if ((pattern.match(/\*+/g)?.length ?? 0) > 3 || name.length > 200) return
    const expression = new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\/-]/g, '\\$&')
        .replace(/\*+/g, '[^]*')
        .replace(/\?/g, '[^]')}$`,
    )
    must(found === expression.test(name), () => `${found} for ${JSON.stringify([pattern, name])}`)
  },
}

export const rules: Target = {
  name: 'access-rules',
  weight: 1,
  make: random =>
    mutateJson(
      random,
      [
        '[{"allow":{"tools":["read_*"]},"principals":["alice"]},{"deny":{"servers":["web"]}}]',
        '[{"allow":{"methods":["*"]},"scopes":["a"],"claims":{"team":["x","y"],"level":3}}]',
        '[]',
      ],
      ['"allow":', '"deny":', '"tools":["*"]', '"claims":{"__proto__":1}', '"scopes":["a"]'],
    ),
  check(text: string) {
    let given: unknown
    try {
      given = JSON.parse(text)
    } catch {
      return
    }
    if (!Array.isArray(given)) return
    const compiled = attempt(() => accessRules(given as never), TypeError)
    if (!('value' in compiled)) return
    for (const principal of [undefined, 'alice', '__proto__'])
      for (const claims of [
        undefined,
        { scope: 'a b', team: 'x' },
        JSON.parse('{"__proto__":{"scope":"a"},"scp":["a"]}'),
      ]) {
        const caller = { binding: 'sse', principal, claims, header: () => undefined } as never
        const verdict = compiled.value.verdict(
          { server: 'web', method: 'tools/call', kind: 'tools', name: 'read_x' },
          caller,
        )
        must(verdict === 'allowed' || verdict === 'denied' || verdict.missing.length > 0, 'no verdict')
        must(given.length > 0 || verdict === 'denied', 'no rule, and yet allowed')
        compiled.value.classOf(caller)
      }
  },
}

export const searches: Target = {
  name: 'tool-search',
  weight: 0.5,
  make: random =>
    mutateText(
      random,
      ['read files', 'createIssue', 'Ünïcode searching', 'web_search', ''],
      ['files', 'ing', 'ies', '_', 'A'],
    ),
  check(text: string) {
    must(index.search(text, 3).length <= 3, 'more than asked for')
    const other = toolIndex([
      {
        server: 'x',
        exposed: text,
        entry: {
          name: text,
          description: text,
          inputSchema: {
            properties: JSON.parse(`{${JSON.stringify(text)}:{"description":${JSON.stringify(text)}}}`),
          },
        },
      },
    ])
    must(
      text.trim() === '' || text !== text.trim() || other.search(text, 1).length === 1,
      'does not find its own name',
    )
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what a terminal obeys
    must(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(printable(text)), 'printable')
  },
}

const LISTED = Array.from({ length: 10 }, (_, at) => ({
  member: servers[at % 3] as (typeof servers)[number],
  name: `t${at}`,
  exposed: `files__t${at}`,
  entry: { name: `files__t${at}`, description: `reads ${at}` },
})).sort((a, b) => (a.member.name < b.member.name ? -1 : 1))
const pages = new Pages('tools', LISTED, 3, { ttlMs: 0 })
const CURSORS = [pages.page(undefined).get('nextCursor') as string]
const index = toolIndex(
  LISTED.map(({ exposed, entry, member: { name } }) => ({ server: name, exposed, entry })),
)

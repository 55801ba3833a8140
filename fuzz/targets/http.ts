// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what it is about
/** What comes in the headers of HTTP, from clients, proxies and servers. */

import { isIP } from 'node:net'
import { parseBearerChallenge } from '../../src/client/oauth/challenge.js'
import type { HttpReply, HttpRequest } from '../../src/exchange/http.js'
import { nameOfUrl } from '../../src/exchange/http-address.js'
import { BodyRefusal, isJsonType, readBody } from '../../src/exchange/http-body.js'
import { describeAnswer } from '../../src/exchange/unexpected-answer.js'
import { addressSet, parseAddress } from '../../src/middleware/http/address-rules.js'
import { apiKeys } from '../../src/middleware/http/api-keys.js'
import { authentication } from '../../src/middleware/http/authentication.js'
import { cors } from '../../src/middleware/http/cors.js'
import { hostGuard } from '../../src/middleware/http/host-guard.js'
import { jwt } from '../../src/middleware/http/jwt.js'
import { originGuard } from '../../src/middleware/http/origin-guard.js'
import { trustedProxy } from '../../src/middleware/http/trusted-proxy.js'
import { RpcError } from '../../src/protocol/errors.js'
import {
  checkMirror,
  decodeHeaderValue,
  encodeHeaderValue,
  mirrorHeaders,
} from '../../src/protocol/headers.js'
import { checkParamHeaders, paramHeaders, paramHeaderValues } from '../../src/protocol/param-headers.js'
import { parseMessage } from '../../src/protocol/parse.js'
import { acceptOf, isBrowser } from '../../src/transport/streamable-http/accept.js'
import { humanPage } from '../../src/transport/streamable-http/human-page.js'
import { SessionStreams } from '../../src/transport/streamable-http/session-streams.js'
import { MESSAGES, WORDS } from '../corpus.js'
import { mutateJson, mutateText } from '../mutate.js'
import type { Random } from '../random.js'
import { attempt, must, type Target } from '../target.js'

/** `node:http` takes as many bytes of headers. */
const MAX_HEADER = 32 * 1024
const encoder = new TextEncoder()

/** Text as `node:http` hands over a header: no line breaks, and one character for each byte. */
function asHeader(text: string): string {
  return text
    .replace(/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/g, '')
    .trim()
    .slice(0, MAX_HEADER)
}

function headerText(seeds: readonly string[], tokens: readonly string[] = []) {
  return (random: Random) => asHeader(mutateText(random, seeds, tokens))
}

export const headerValues: Target = {
  name: 'header-values',
  weight: 2,
  make: random =>
    mutateText(
      random,
      ['echo', 'Ünïcode', '=?base64?w5xuw69jb2Rl?=', ' x ', 'file:///a b', '=?base64?====?='],
      ['=?base64?', '?=', '='],
    ),
  check(text: string) {
    const encoded = encodeHeaderValue(text)
    must(
      /^[ -~]*$/.test(encoded) && encoded === encoded.trim(),
      () => `no header can be ${JSON.stringify(encoded)}`,
    )
    must(
      decodeHeaderValue(encoded) === wellFormed(text),
      () => `came back as ${JSON.stringify(decodeHeaderValue(encoded))}`,
    )
    const decoded = decodeHeaderValue(asHeader(text))
    // What a header says has one encoding, or is not plain.
    must(
      decoded === undefined || decodeHeaderValue(encodeHeaderValue(decoded)) === decoded,
      'a header has two readings',
    )
  },
}

/** What `mirrorHeaders` says of a request passes `checkMirror`, and of no other one. */
export const mirrors: Target = {
  name: 'mirrored-headers',
  weight: 2,
  make: random => mutateJson(random, REQUESTS, WORDS),
  check(text: string, random) {
    const parsed = attempt(() => parseMessage(text), RpcError)
    if (!('value' in parsed) || !('method' in parsed.value) || !('id' in parsed.value)) return
    const request = parsed.value
    const headers = mirrorHeaders(request)
    for (const value of Object.values(headers))
      must(/^[ -~]*$/.test(value), () => `no header can be ${JSON.stringify(value)}`)
    const plain = ['mcp-method', 'mcp-protocol-version'].every(
      name => !/^=\?base64|^\s|\s$/.test(headers[name] ?? ''),
    )
    if (plain) checkMirror(request, name => headers[name])
    const name = random.pick(Object.keys(headers))
    const other = asHeader(mutateText(random, [headers[name] ?? '']))
    const changed = attempt(
      () => checkMirror(request, asked => (asked === name ? other : headers[asked])),
      RpcError,
    )
    if ('value' in changed && plain)
      must(
        decodeHeaderValue(other) === decodeHeaderValue(headers[name] ?? '') || other.trim() === headers[name],
        () => `${name}: ${JSON.stringify(other)} passed for ${JSON.stringify(headers[name])}`,
      )
  },
}

export const parameters: Target = {
  name: 'parameter-headers',
  weight: 1,
  make: random => mutateJson(random, SCHEMAS, ['"x-mcp-header":"A"', '"properties":{', '"type":"integer"']),
  check(text: string, random) {
    let schema: unknown
    try {
      schema = JSON.parse(text)
    } catch {
      return
    }
    const found = paramHeaders(schema)
    if (!found.ok) return
    const args = JSON.parse(
      random.pick([
        '{}',
        '{"a":"x","n":7,"o":{"b":true}}',
        '{"a":"Ü\\n","n":-1}',
        '{"__proto__":{"a":"x"},"n":9007199254740993}',
      ]),
    )
    const values = paramHeaderValues(found.headers, args)
    for (const value of Object.values(values))
      must(/^[ -~]*$/.test(value), () => `no header can be ${JSON.stringify(value)}`)
    const checked = attempt(() => checkParamHeaders(found.headers, args, name => values[name]), RpcError)
    must(
      'value' in checked || /safe integer|does not match/.test(checked.error.message),
      'our own headers were refused',
    )
  },
}

export const accept: Target = {
  name: 'accept',
  weight: 1,
  make: headerText(
    [
      'application/json, text/event-stream',
      '*/*',
      'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
      'application/json; charset=utf-8',
      'text/event-stream;q=0.0',
    ],
    ['application/*', 'text/*', ';q=0', ';q=', ','],
  ),
  check(text: string) {
    const { json, stream } = acceptOf(text)
    must(typeof json === 'boolean' && typeof stream === 'boolean', 'no answer')
    if (!/json|\*/i.test(text)) must(!json, 'takes JSON without a word of it')
    isBrowser(text)
    if (isJsonType(text)) must(/^\s*application\/json\s*(;|$)/i.test(text), 'no JSON type')
  },
}

const reached: HttpReply = { status: 200, headers: {} }

export const forwarded: Target = {
  name: 'forwarded',
  weight: 3,
  make: headerText(
    [
      '203.0.113.9, 10.0.0.1',
      'for=203.0.113.9;proto=https;host=mcp.example.com',
      'for="[2001:db8::1]:4711";by=_x',
      'for=unknown, for=10.0.0.1',
      '[2001:db8::1]',
      '1.2.3.4:80',
      'https, http',
      '/a/b',
      'mcp.example.com:8443',
      '_hidden',
    ],
    ['for=', 'by=', 'host="', 'proto=http', '"', '\\"', ',', ';', 'unknown', '::ffff:10.0.0.1', '/../', '//'],
  ),
  async check(text: string, random) {
    const kind = random.pick(['x-forwarded', 'forwarded'] as const)
    const headers: Record<string, string> =
      kind === 'forwarded'
        ? { forwarded: text }
        : Object.fromEntries(
            random
              .pick([['for'], ['proto'], ['host'], ['prefix'], ['for', 'proto', 'host', 'prefix']])
              .map(name => [`x-forwarded-${name}`, text]),
          )
    let seen: HttpRequest | undefined
    const proxy = trustedProxy({ addresses: ['loopback', '10.0.0.0/8'], headers: kind })
    const reply = await proxy(async request => {
      seen = request
      return reached
    })(request({ headers: { host: 'inner', ...headers } }))
    must(reply.status === 200 || reply.status === 400, () => `status ${reply.status}`)
    if (seen === undefined) return
    must(
      seen.address === undefined || parseAddress(seen.address) !== undefined,
      () => `the address is ${seen?.address}`,
    )
    must(seen.scheme === 'http' || seen.scheme === 'https', 'scheme')
    must(/^[\w.[\]:-]+$/.test(seen.header('host') ?? 'x'), () => `the host is ${seen?.header('host')}`)
    must(/^(\/[\w.~-]+)*$/.test(seen.prefix ?? ''), () => `the prefix is ${seen?.prefix}`)
  },
}

const KEY = `anyport_0123456789ab_${'ab'.repeat(32)}`
const keys = authentication({
  methods: [
    apiKeys({
      keys: [{ id: '0123456789ab', name: 'alice', hash: 'f'.repeat(64), created: '2026-01-01T00:00:00Z' }],
      sha256: text => (text === KEY ? 'f' : '0').repeat(64),
    }),
  ],
  requiredScopes: [],
})(async () => reached)

export const credentials: Target = {
  name: 'credentials',
  weight: 2,
  make: headerText(
    [`Bearer ${KEY}`, 'Bearer x', `bearer   ${KEY}  `, 'Basic dTpw', KEY],
    ['Bearer ', ' ', ',', '=', 'anyport_'],
  ),
  async check(text: string) {
    for (const name of ['authorization', 'x-api-key']) {
      const reply = await keys(request({ headers: { [name]: text } }))
      must(reply.status === 200 || reply.status === 401, () => `status ${reply.status}`)
      must(reply.status === 401 || text.includes(KEY), 'somebody got in without the key')
    }
  },
}

const ISSUER = 'https://login.example.com'
const JWK = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  kid: 'one',
  alg: 'EdDSA',
}
const tokens = jwt({
  issuer: ISSUER,
  audience: ['https://mcp.example.com/mcp'],
  jwksUrl: `${ISSUER}/keys`,
  fetch: async () => Response.json({ keys: [JWK] }),
})

/** No key of the issuer's is at hand: nothing gets in. */
export const tokensOfIssuers: Target = {
  name: 'jwt',
  weight: 0.3,
  make(random) {
    const part = (text: string) =>
      Buffer.from(
        mutateJson(random, [text], ['"alg":"none"', '"crit":["x"]', '"b64":false', '"kid":"one"']),
      ).toString('base64url')
    const claims = { iss: ISSUER, aud: 'https://mcp.example.com/mcp', sub: 'alice', exp: 4_000_000_000 }
    const whole = `${part('{"alg":"EdDSA","kid":"one","typ":"at+jwt"}')}.${random.chance(0.5) ? Buffer.from(JSON.stringify(claims)).toString('base64url') : part(JSON.stringify(claims))}.${'A'.repeat(86)}`
    return random.chance(0.3) ? mutateText(random, [whole], ['.', '=']) : whole
  },
  async check(text: string) {
    const verdict = await tokens.checkCredential?.({ from: 'bearer', token: text })
    must(verdict === undefined || !('principal' in verdict), 'a forged token got in')
    if (verdict !== undefined && 'kind' in verdict)
      must(verdict.kind === 'invalid', 'it was said to be our fault')
  },
}

export const challenges: Target = {
  name: 'challenges',
  weight: 1,
  make: headerText(
    [
      'Bearer error="insufficient_scope", scope="a b", resource_metadata="https://x/y"',
      'Basic realm="a", Bearer scope=x',
      'Negotiate abc==, Bearer error=invalid_token',
      'DPoP algs="ES256"',
    ],
    ['Bearer ', 'scope=', '"', '\\', ', ', 'error="'],
  ),
  check(text: string) {
    const found = parseBearerChallenge(text)
    if (found === undefined) return
    must(/bearer/i.test(text), 'a challenge from nothing')
    must(
      found.scopes === undefined || found.scopes.every(scope => scope !== '' && !/\s/.test(scope)),
      'scopes',
    )
  },
}

const hosts = hostGuard({ allowHosts: ['mcp.example.com', 'other.example.com:8443'], boundHost: '0.0.0.0' })
const origins = originGuard({ allowOrigins: ['https://app.example.com'], sameHost: true })
const pages = cors({ origins: ['https://*.example.com', 'http://localhost:*'] })(async () => reached)

export const hostsAndOrigins: Target = {
  name: 'hosts-and-origins',
  weight: 2,
  make: headerText(
    [
      'localhost:3000',
      'mcp.example.com',
      '127.0.0.1.',
      '[::1]:80',
      'http://localhost:5173',
      'https://app.example.com',
      'https://a.b.example.com',
      'null',
      'evil.example',
    ],
    ['://', ':', '.', '@', '/', '*', '[', ']', 'localhost', '127.0.0.1'],
  ),
  async check(text: string) {
    const host = hosts(request({ headers: { host: text } }))
    must(host === undefined || host.status === 403, 'host')
    const name = text.trim().toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
    const isOurs =
      /^(localhost|mcp\.example\.com|other\.example\.com|\[[0-9a-f:.]+\]|\d{1,3}(\.\d{1,3}){3})\.?$/.test(
        name,
      )
    must(host !== undefined || isOurs, () => `the host ${JSON.stringify(text)} got in`)
    const origin = origins(request({ headers: { origin: text, host: 'mcp.example.com' } }))
    if (origin === undefined)
      must(
        /^(https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?|https:\/\/app\.example\.com|(https?:\/\/)?mcp\.example\.com)$/.test(
          text.trim().toLowerCase(),
        ),
        'origin',
      )
    const reply = await pages(
      request({
        method: 'OPTIONS',
        headers: {
          origin: text,
          'access-control-request-method': 'POST',
          'access-control-request-headers': text,
        },
      }),
    )
    for (const value of Object.values(reply.headers)) must(!/[\r\n]/.test(value), 'a line break in a header')
    if (reply.headers['access-control-allow-origin'] !== undefined)
      must(
        /^(https:\/\/([a-z0-9_-]+\.)+example\.com|http:\/\/localhost(:\d{1,5})?)$/i.test(text),
        () => `pages of ${text} may call`,
      )
    must(
      !/<script|<img|<\/pre><(?!\/html|p)/i.test(String(humanPage(`http://${text}/mcp`).body)),
      'markup came through',
    )
  },
}

export const addresses: Target = {
  name: 'addresses',
  weight: 2,
  make: random =>
    mutateText(
      random,
      [
        '127.0.0.1',
        '10.0.0.0/8',
        '::1',
        'fe80::1%eth0',
        '::ffff:192.0.2.1',
        '2001:db8::/32',
        '1:2:3:4:5:6:7:8',
        'loopback',
        '0.0.0.0/0',
      ],
      ['::', ':', '.', '/', '256', 'ffff', '0', '%', '128'],
    ),
  check(text: string) {
    const bytes = parseAddress(text)
    const zone = text.indexOf('%')
    const plain = zone < 0 ? text : text.slice(0, zone)
    const known = isIP(plain) !== 0 && (zone < 0 || isIP(plain) === 6)
    must((bytes !== undefined) === known, () => `${text} is${known ? '' : ' not'} an address`)
    if (bytes !== undefined && isIP(plain) === 6) {
      const groups = new URL(`http://[${plain}]/`).hostname
      must(new URL(`http://[${hexOf(bytes)}]/`).hostname === groups, () => `${text} became ${hexOf(bytes)}`)
    }
    const set = attempt(() => addressSet('x', [text]), TypeError)
    if (!('value' in set)) return
    must(
      set.value(plain.split('/')[0]) === (isIP(plain.split('/')[0] ?? '') !== 0) || zone >= 0,
      'a block does not hold its own address',
    )
    must(!set.value('no address'), 'no address')
  },
}

/** Errors about foreign answers: short, on one line, without what was sent. */
export const answers: Target = {
  name: 'answers',
  weight: 1,
  make: random =>
    mutateText(
      random,
      [
        '<!doctype html><html><title>Sign in</title>',
        '{"error":{"code":-32600,"message":"No session"}}',
        '{"error":"invalid_token","error_description":"x"}',
        'upstream connect error',
        'token=SECRETSECRET and Bearer SECRETSECRET',
      ],
      [
        '<title',
        '<title>',
        '>',
        'SECRETSECRET',
        'password: "',
        'Bearer ',
        'eyJ',
        'sk-',
        '\u001b[31m',
        '\u202e',
      ],
    ),
  check(text: string, random) {
    const contentType = random.pick([
      undefined,
      'text/html',
      'application/json',
      'text/plain',
      asHeader(text).slice(0, 50),
    ])
    const error = describeAnswer(
      {
        status: random.pick([200, 302, 400, 401, 403, 404, 429, 500, 502, 777]),
        contentType,
        server: asHeader(text).slice(0, 60),
        retryAfter: asHeader(text).slice(0, 9),
        text: text.slice(0, 4_096),
      },
      {
        method: 'POST',
        url: 'http://127.0.0.1:1/mcp',
        headers: { authorization: 'Bearer SECRETSECRET' },
      } as never,
    )
    must(!error.message.includes('SECRETSECRET'), () => `a secret in ${error.message}`)
    must(
      !/[\x00-\x1f\x7f-\x9f\u202e\u2028]/.test(error.message),
      () => `control characters in ${JSON.stringify(error.message)}`,
    )
    must(error.message.length < 2_000, () => `${error.message.length} characters`)
    nameOfUrl(text)
  },
}

const streams = new SessionStreams({ events: 10, bytes: 1_000 }, () => {})

export const eventIds: Target = {
  name: 'last-event-id',
  weight: 1,
  make: headerText(
    [`${streams.eventPrefix(0)}1`, `${streams.eventPrefix(0)}0`, 'abc.0.1', '0'],
    ['.', '999999999999999', '-1', '1e3'],
  ),
  check(text: string) {
    must(typeof streams.resume(text) === 'string', 'a stream that nobody opened')
  },
}

/** Bodies of requests: whatever they are, a message or a reply with a status of 4xx. */
export const bodies: Target = {
  name: 'bodies',
  weight: 1,
  make: random => mutateJson(random, MESSAGES, WORDS),
  async check(text: string) {
    const body = await readBody(request({ method: 'POST', text }), { maxBody: 10_000, maxDepth: 20 })
    if (!(body instanceof BodyRefusal)) return
    must(body.reply.status >= 400 && body.reply.status < 500, () => `status ${body.reply.status}`)
    JSON.parse(body.reply.body as string)
  },
}

const REQUESTS = MESSAGES.filter(message => message.includes('"method"') && message.includes('"id"'))
const SCHEMAS = [
  '{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"},"n":{"type":"integer","x-mcp-header":"N"},"o":{"type":"object","properties":{"b":{"type":"boolean","x-mcp-header":"B"}}}}}',
  '{"anyOf":[{"properties":{"a":{"x-mcp-header":"A","type":"string"}}}],"$defs":{"x":{"items":[{"not":{}}]}}}',
]

function request(given: {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly text?: string
}): HttpRequest {
  const headers = new Map(Object.entries(given.headers ?? {}))
  return {
    method: given.method ?? 'POST',
    path: '/mcp',
    query: '',
    scheme: 'http',
    address: '127.0.0.1',
    header: name => headers.get(name),
    text: async limit => {
      const text = given.text ?? ''
      if (encoder.encode(text).length > limit) throw new RpcError(-31004, 'too large')
      return text
    },
    onHangup: () => () => {},
  }
}

function hexOf(bytes: Uint8Array): string {
  const groups: string[] = []
  for (let index = 0; index < 16; index += 2)
    groups.push((((bytes[index] as number) << 8) | (bytes[index + 1] as number)).toString(16))
  return groups.join(':')
}

function wellFormed(text: string): string {
  return new TextDecoder()
    .decode(encoder.encode(text))
    .replace(/^/, text.startsWith('\ufeff') ? '\ufeff' : '')
}

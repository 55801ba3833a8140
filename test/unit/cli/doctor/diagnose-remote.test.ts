// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { describe, expect, it } from 'vitest'
import { diagnoseRemote } from '../../../../src/cli/doctor/diagnose-remote.js'
import type { RemoteFacts } from '../../../../src/cli/doctor/probe-remote.js'
import type { SeenAnswer } from '../../../../src/cli/doctor/recording-client.js'
import type { Subject } from '../../../../src/cli/doctor/subject.js'
import { clientNamed } from '../../../../src/config/clients.js'
import { TransportError, type TransportFacts } from '../../../../src/exchange/errors.js'
import { describeAnswer } from '../../../../src/exchange/unexpected-answer.js'

const file = '/project/.vscode/mcp.json'
const subject: Subject = {
  name: 'remote',
  file,
  client: clientNamed('vscode'),
  at: { file, line: 3, column: 5 },
  secrets: [],
  written: undefined,
  entry: undefined,
  disabled: false,
  findings: [],
}
const commandLine: Subject = { ...subject, file: undefined, client: undefined, at: undefined }

const url = 'https://mcp.example.com:8443/mcp'
const health = {
  era: 'legacy',
  transport: 'streamable-http',
  protocolVersion: '2025-11-25',
  serverName: 'one',
  serverVersion: '1',
  milliseconds: 10,
  tools: 1,
  resources: 0,
  prompts: 0,
} as const

const healthy: RemoteFacts = {
  kind: 'remote',
  address: url,
  host: 'mcp.example.com:8443',
  configured: 'auto',
  signed: undefined,
  answers: [],
  outcome: { kind: 'healthy', health },
  metadata: undefined,
  speaks: undefined,
  elsewhere: undefined,
  accepts: undefined,
  stale: undefined,
  cors: undefined,
}

const answer: SeenAnswer = {
  method: 'POST',
  asked: 'initialize',
  session: false,
  begins: false,
  signed: false,
  status: 200,
  challenge: undefined,
  by: undefined,
  stream: false,
  heard: true,
  text: '',
}

function failed(
  code: TransportError['code'],
  message: string,
  facts: TransportFacts = {},
  more: Partial<RemoteFacts> = {},
): RemoteFacts {
  const error = new TransportError(code, message, facts)
  return { ...healthy, ...more, outcome: { kind: 'failed', error, during: 'open' } }
}

/** As the transport describes such an answer. */
function refused(status: number, text = '', more: Partial<RemoteFacts> = {}): RemoteFacts {
  const error = describeAnswer(
    { status, contentType: 'text/plain', text },
    { method: 'POST', url, headers: {} },
  )
  const answers = [{ ...answer, status, text }]
  return { ...healthy, answers, ...more, outcome: { kind: 'failed', error, during: 'open' } }
}

function only(facts: RemoteFacts, of = subject) {
  const findings = diagnoseRemote(facts, of)
  expect(findings).toHaveLength(1)
  return findings[0]
}

it('finds nothing where all is well', () => {
  const cors = { allowOrigin: '*', refused: [], hidesSession: false }
  expect(diagnoseRemote({ ...healthy, stale: { status: 404 }, cors }, subject)).toEqual([])
})

describe('the way there', () => {
  it.each([
    ['ECONNREFUSED', undefined, 'DOCTOR_UNREACHABLE'],
    ['ENOTFOUND', undefined, 'DOCTOR_UNREACHABLE'],
    ['ECONNREFUSED', '--proxy', 'DOCTOR_PROXY'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', '--ca', 'DOCTOR_TLS_SELF_SIGNED'],
    ['SELF_SIGNED_CERT_IN_CHAIN', '--ca', 'DOCTOR_TLS_UNTRUSTED'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '--ca', 'DOCTOR_TLS_UNTRUSTED'],
    ['CERT_HAS_EXPIRED', undefined, 'DOCTOR_TLS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', undefined, 'DOCTOR_TLS'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', '--cert', 'DOCTOR_TLS'],
  ])('%s is %s, %s', (code, knob, expected) => {
    const facts = { cause: { code }, ...(knob === undefined ? {} : { knob }) }
    expect(only(failed('ERR_CONNECT', `Cannot reach ${url}: why`, facts))?.code).toBe(expected)
  })

  it('a self-signed certificate is fetched from where the server is', () => {
    const facts = { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, knob: '--ca' }
    const at = (host: string) => only(failed('ERR_CONNECT', 'no', facts, { host }))?.fix
    expect(at('mcp.example.com')).toContain('-connect mcp.example.com:443 ')
    expect(at('mcp.example.com:8443')).toContain('-connect mcp.example.com:8443 ')
  })

  it('late connections are told from late answers, and from streams that are held back', () => {
    const late = (knob: string, answers: readonly SeenAnswer[] = []) =>
      only(failed('ERR_TIMEOUT', 'remote did not answer within 6 s', { knob }, { answers }))
    expect(late('--connect-timeout')?.code).toBe('DOCTOR_UNREACHABLE')
    expect(late('--timeout')).toMatchObject({
      code: 'DOCTOR_NO_ANSWER',
      what: 'It did not answer within 6 s',
    })
    const stream = { ...answer, stream: true, heard: false, by: 'nginx/1.22.1' }
    expect(late('--timeout', [stream])).toMatchObject({
      code: 'DOCTOR_BUFFERED',
      why: expect.stringContaining('nginx/1.22.1'),
    })
    expect(late('--timeout', [{ ...stream, heard: true }])?.code).toBe('DOCTOR_NO_ANSWER')
  })
})

describe('who may call', () => {
  const metadata = { announced: true, found: true, resource: undefined, error: undefined }
  it.each([
    ['as it should be', { metadata }, 'DOCTOR_SIGN_IN', 'anyport login'],
    [
      'nowhere',
      { metadata: { ...metadata, announced: false, found: false } },
      'DOCTOR_NO_RESOURCE_METADATA',
      '${env:TOKEN}',
    ],
    [
      'not announced',
      { metadata: { ...metadata, announced: false } },
      'DOCTOR_NO_RESOURCE_METADATA',
      'anyport login',
    ],
    [
      'of another',
      { metadata: { ...metadata, found: false, resource: 'http://10.0.0.1/mcp' } },
      'DOCTOR_RESOURCE_MISMATCH',
      '"resource"',
    ],
    ['with a header', { metadata, signed: 'header' }, 'DOCTOR_TOKEN_REFUSED', `"headers" in ${file}:3`],
    ['with a sign-in', { metadata, signed: 'sign-in' }, 'DOCTOR_TOKEN_REFUSED', 'anyport login'],
  ] as const)('401, metadata %s', (_name, more, code, fix) => {
    expect(only(refused(401, 'no', more))).toMatchObject({
      code,
      status: 401,
      fix: expect.stringContaining(fix),
    })
  })

  it.each([
    [421, 'Misdirected', 'DOCTOR_HOST_REFUSED'],
    [403, 'Invalid Host header', 'DOCTOR_HOST_REFUSED'],
    [403, 'Host "a.example" is not allowed. If it is a name of this server, allow it', 'DOCTOR_HOST_REFUSED'],
    [403, '{"error":"Invalid Origin: http://a"}', 'DOCTOR_HOST_REFUSED'],
    [403, 'DNS rebinding protection', 'DOCTOR_HOST_REFUSED'],
    [403, 'The organisation does not host this plan', 'DOCTOR_FORBIDDEN'],
    [403, '', 'DOCTOR_FORBIDDEN'],
  ])('%i with %j is %s', (status, text, code) => {
    expect(only(refused(status, text))).toMatchObject({ code, status })
  })

  it('says what was answered, without advice for those who have no doctor', () => {
    expect(only(refused(403, 'you may not'))?.what).toBe('It answered 403 Forbidden, and said: you may not')
    expect(only(refused(418, ''))).toMatchObject({ code: 'DOCTOR_STATUS', what: 'It answered 418' })
  })
})

describe('what is there', () => {
  it.each([
    [404, 'DOCTOR_WRONG_PATH'],
    [405, 'DOCTOR_WRONG_PATH'],
    [406, 'DOCTOR_NOT_ACCEPTABLE'],
    [415, 'DOCTOR_NOT_ACCEPTABLE'],
    [407, 'DOCTOR_PROXY'],
    [429, 'DOCTOR_STATUS'],
    [500, 'DOCTOR_STATUS'],
    [503, 'DOCTOR_STATUS'],
  ])('%i is %s', (status, code) => {
    expect(only(refused(status))).toMatchObject({ code, status })
  })

  it('another path, or transport, is the cause of a refusal', () => {
    expect(only(refused(404, '', { elsewhere: 'https://mcp.example.com/sse' }))?.fix).toBe(
      `Write https://mcp.example.com/sse into "url" in ${file}:3`,
    )
    const configured = { configured: 'streamable-http', speaks: 'sse' } as const
    expect(only(refused(405, '', configured))).toMatchObject({
      code: 'DOCTOR_WRONG_TRANSPORT',
      fix: `Write "type": "sse" in ${file}:3`,
    })
    expect(only(refused(405, '', configured), commandLine)?.fix).toContain('--transport sse')
    const codex = { ...subject, client: clientNamed('codex') }
    expect(only(refused(405, '', configured), codex)?.fix).toContain(`anyport connect ${url}`)
  })

  it('an address that leads elsewhere', () => {
    const message = `${url} redirects (302) to https://other.example.com/mcp, which is another origin, so nothing was sent there`
    expect(only(failed('ERR_STATUS', message, { status: 302 }))).toMatchObject({
      code: 'DOCTOR_WRONG_PATH',
      fix: expect.stringContaining('Write https://other.example.com/mcp into "url"'),
    })
  })

  it('a page is no server', () => {
    const error = describeAnswer(
      { status: 200, contentType: 'text/html', text: '<title>Sign in</title>' },
      { method: 'POST', url, headers: {} },
    )
    const outcome = { kind: 'failed', error, during: 'open' } as const
    expect(only({ ...healthy, answers: [answer], outcome })?.code).toBe('DOCTOR_NOT_MCP')
    expect(only(failed('ERR_PROTOCOL', `${url} does not answer in HTTP`))?.code).toBe('DOCTOR_NOT_MCP')
    expect(only(failed('ERR_CLOSED', `${url} closed the connection without an answer`))?.code).toBe(
      'DOCTOR_NOT_MCP',
    )
  })

  it('a refusal that only an earlier question got is not the cause', () => {
    const answers = [{ ...answer, asked: 'server/discover', status: 400 }, answer]
    const facts = failed('ERR_HANDSHAKE', 'The server refused initialize: no', {}, { answers })
    expect(only(facts)?.code).toBe('DOCTOR_HANDSHAKE')
  })
})

describe('sessions', () => {
  const begun = { ...answer, begins: true }
  it.each([
    [404, 'Session not found', 'DOCTOR_SESSION_LOST'],
    [
      400,
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No valid session ID"}}',
      'DOCTOR_SESSION_LOST',
    ],
    [503, '', 'DOCTOR_SESSION_LOST'],
    [500, 'oh', 'DOCTOR_LIST_FAILED'],
  ])('that are answered %i %s after their beginning: %s', (status, text, code) => {
    const answers = [begun, { ...answer, asked: 'tools/list', session: true, status, text }, answer]
    const error = new TransportError('ERR_CLOSED', `${url} has ended the session`)
    const facts = { ...healthy, answers, outcome: { kind: 'failed', error, during: 'tools/list' } } as const
    expect(only(facts)?.code).toBe(code)
  })

  it.each([
    [200, 'DOCTOR_STALE_SESSION'],
    [400, 'DOCTOR_STALE_SESSION'],
    [404, undefined],
  ])('that do not exist, answered with %i', (status, code) => {
    expect(diagnoseRemote({ ...healthy, stale: { status } }, subject)[0]?.code).toBe(code)
  })
})

it('browsers', () => {
  const found = (refused: readonly string[], hidesSession: boolean) =>
    diagnoseRemote({ ...healthy, cors: { allowOrigin: '*', refused, hidesSession } }, subject)[0]
  expect(found(['mcp-method'], false)).toMatchObject({
    code: 'DOCTOR_CORS',
    severity: 'warning',
    fix: 'Add: Access-Control-Allow-Headers: mcp-method (to OPTIONS)',
  })
  expect(found(['mcp-method'], true)?.what).toContain('mcp-method and does not let them read Mcp-Session-Id')
})

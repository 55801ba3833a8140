import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEADER_MISMATCH, RpcError } from '../../../src/protocol/errors.js'
import {
  checkMirror,
  decodeHeaderValue,
  encodeHeaderValue,
  mirrorHeaders,
} from '../../../src/protocol/headers.js'
import type { JSONRPCRequest } from '../../../src/protocol/message.js'
import { META_PROTOCOL_VERSION } from '../../../src/protocol/meta.js'
import {
  checkParamHeaders,
  type ParamHeader,
  paramHeaders,
  paramHeaderValues,
} from '../../../src/protocol/param-headers.js'

function refusal(run: () => void): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(RpcError)
    expect((error as RpcError).code).toBe(HEADER_MISMATCH)
    return (error as RpcError).message
  }
  throw new Error('was accepted')
}

const from = (headers: Record<string, string>) => (name: string) => headers[name]

const points = fc.oneof(fc.nat(0x7f), fc.nat(0x7ff), fc.nat(0xffff), fc.nat(0x10ffff))
const anyText = fc.array(points, { maxLength: 12 }).map(codes => String.fromCodePoint(...codes))
/** A lone surrogate has no UTF-8. */
const unicode = anyText.filter(text => !/\p{Surrogate}/u.test(text))

describe('header values', () => {
  // The table of "Value Encoding".
  test.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', ''],
    ['us west 1', 'us west 1'],
    ['\tindented', '=?base64?CWluZGVudGVk?='],
    ['a\tb', '=?base64?YQli?='],
    ['=?base64?open', '=?base64?open'],
    ['=?BASE64?x?=', '=?BASE64?x?='],
    ['=?base64?=', '=?base64?PT9iYXNlNjQ/PQ==?='],
  ])('%j is written %s', (value, encoded) => {
    expect(encodeHeaderValue(value)).toBe(encoded)
    expect(decodeHeaderValue(encoded)).toBe(value)
  })

  test.each([
    ['a\nb'],
    ['é'],
    ['\u007f'],
    ['a\u0000'],
    ['=?base64?SGVsbG8?='],
    ['=?base64?SGVs!!!bG8=?='],
    ['=?base64?SGVs bG8=?='],
    ['=?base64?SGVsbG8=='],
    ['=?base64?/w==?='],
    ['=?base64?SGVsbG8-?='],
  ])('%j does not decode', value => {
    const isLiteral = !value.endsWith('?=') && /^[ -~]*$/.test(value)
    expect(decodeHeaderValue(value)).toBe(isLiteral ? value : undefined)
  })

  test('whitespace around a value does not count', () => {
    expect(decodeHeaderValue('  name \t')).toBe('name')
    expect(decodeHeaderValue(' =?base64?IHBhZGRlZCA=?= ')).toBe(' padded ')
    expect(decodeHeaderValue('=?base64??=')).toBe('')
    expect(decodeHeaderValue('=?base64?77u/YQ==?=')).toBe('\ufeffa')
  })

  test('every text survives the round trip as a legal header', () => {
    fc.assert(
      fc.property(fc.oneof(unicode, fc.string()), value => {
        const encoded = encodeHeaderValue(value)
        expect(encoded).toMatch(/^(?:[!-~](?:[ -~]*[!-~])?)?$/)
        expect(new Headers({ x: encoded }).get('x')).toBe(encoded)
        expect(decodeHeaderValue(encoded)).toBe(value)
      }),
    )
  })
})

describe('standard headers', () => {
  const _meta = { [META_PROTOCOL_VERSION]: '2026-07-28' }
  const call: JSONRPCRequest = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'get_weather', _meta },
  }
  const good = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'get_weather' }

  test('mirror the body', () => {
    expect(mirrorHeaders(call)).toEqual(good)
    expect(
      mirrorHeaders({ ...call, method: 'resources/read', params: { uri: 'file:///é', name: 'x', _meta } }),
    ).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'resources/read',
      'mcp-name': '=?base64?ZmlsZTovLy/DqQ==?=',
    })
    expect(mirrorHeaders({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { name: 'x' } })).toEqual({
      'mcp-method': 'tools/list',
    })
    expect(mirrorHeaders({ jsonrpc: '2.0', id: 1, method: 'x\r\nEvil: 1' })['mcp-method']).toMatch(
      /^=\?base64\?/,
    )
  })

  test.each<[string, JSONRPCRequest, Record<string, string>]>([
    ['equal', call, good],
    ['with spaces around', call, { ...good, 'mcp-name': '  get_weather ', 'mcp-method': ' tools/call ' }],
    ['with an encoded name', call, { ...good, 'mcp-name': '=?base64?Z2V0X3dlYXRoZXI=?=' }],
    [
      'of a method without a name',
      { ...call, method: 'tools/list', params: { _meta } },
      { ...good, 'mcp-method': 'tools/list' },
    ],
    ['of a body without a version', { ...call, params: { name: 'get_weather' } }, good],
    [
      'of a body without a name',
      { ...call, params: { _meta } },
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' },
    ],
  ])('%s are accepted', (_, request, headers) => {
    expect(() => checkMirror(request, from(headers))).not.toThrow()
  })

  test.each<[Record<string, string | undefined>, string]>([
    [
      { 'mcp-name': 'foo' },
      "Header mismatch: Mcp-Name header value 'foo' does not match body value 'get_weather'",
    ],
    [{ 'mcp-name': undefined }, "Header mismatch: Mcp-Name header is missing, body value is 'get_weather'"],
    [
      { 'mcp-name': 'Get_weather' },
      "Header mismatch: Mcp-Name header value 'Get_weather' does not match body value 'get_weather'",
    ],
    [
      { 'mcp-name': '=?base64?Z2V0?=' },
      "Header mismatch: Mcp-Name header value 'get' does not match body value 'get_weather'",
    ],
    [
      { 'mcp-name': '=?base64?Z2?=' },
      "Header mismatch: Mcp-Name header value '=?base64?Z2?=' has invalid characters or invalid Base64",
    ],
    [
      { 'mcp-method': 'TOOLS/CALL' },
      "Header mismatch: Mcp-Method header value 'TOOLS/CALL' does not match body value 'tools/call'",
    ],
    [
      { 'mcp-method': undefined },
      "Header mismatch: Mcp-Method header is missing, body value is 'tools/call'",
    ],
    [
      { 'mcp-method': '=?base64?dG9vbHMvY2FsbA==?=' },
      "Header mismatch: Mcp-Method header value '=?base64?dG9vbHMvY2FsbA==?=' does not match body value 'tools/call'",
    ],
    [
      { 'mcp-protocol-version': '2025-11-25' },
      "Header mismatch: MCP-Protocol-Version header value '2025-11-25' does not match body value '2026-07-28'",
    ],
    [
      { 'mcp-protocol-version': undefined },
      "Header mismatch: MCP-Protocol-Version header is missing, body value is '2026-07-28'",
    ],
  ])('%j are refused', (change, message) => {
    const headers = { ...good, ...change } as Record<string, string>
    expect(refusal(() => checkMirror(call, from(headers)))).toBe(message)
  })

  test('a name in the header only is refused', () => {
    expect(refusal(() => checkMirror({ ...call, params: { _meta } }, from(good)))).toMatch(
      /'get_weather' does not match/,
    )
  })

  test('what a client mirrors a server accepts', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.constantFrom('\ud800', 'a\udfffb')), name => {
        const request = { ...call, params: { ...call.params, name } }
        expect(() => checkMirror(request, from(mirrorHeaders(request)))).not.toThrow()
      }),
    )
  })
})

describe('x-mcp-header', () => {
  const annotated = (type: unknown, name: unknown = 'Region') => ({ type, 'x-mcp-header': name })
  const schema = (region: unknown, more: object = {}) => ({ type: 'object', properties: { region, ...more } })

  test('annotated parameters are found, nested ones too', () => {
    const found = paramHeaders(
      schema(annotated('string'), {
        query: { type: 'string', default: { 'x-mcp-header': 'data, not a schema' } },
        'x-mcp-header': { type: 'string' },
        filter: {
          type: 'object',
          properties: { properties: { properties: { limit: annotated('integer', 'Limit') } } },
        },
        verbose: annotated('boolean', "!#$%&'*+-.^_`|~09azAZ"),
      }),
    )
    expect(found).toEqual({
      ok: true,
      headers: [
        { name: 'Region', path: ['region'], type: 'string' },
        { name: 'Limit', path: ['filter', 'properties', 'limit'], type: 'integer' },
        { name: "!#$%&'*+-.^_`|~09azAZ", path: ['verbose'], type: 'boolean' },
      ],
    })
  })

  test.each([[undefined], [null], [true], [{}], [schema({})], [{ properties: [annotated('string')] }]])(
    '%j has none',
    input => {
      expect(paramHeaders(input)).toEqual({ ok: true, headers: [] })
    },
  )

  test.each<[string, unknown, RegExp]>([
    ['an empty name', schema(annotated('string', '')), /no header name: ""/],
    ['a name with a space', schema(annotated('string', 'My Region')), /no header name/],
    ['a name with a colon', schema(annotated('string', 'a:b')), /no header name/],
    ['a name beyond ASCII', schema(annotated('string', 'Région')), /no header name/],
    ['a name with a line break', schema(annotated('string', 'a\r\nb')), /no header name/],
    ['a name that ends in a line break', schema(annotated('string', 'a\n')), /no header name/],
    ['a name that is no string', schema(annotated('string', 1)), /no header name: 1/],
    ['a number', schema(annotated('number')), /needs the type .* not "number"/],
    ['an object', schema(annotated('object')), /not "object"/],
    ['an array', schema(annotated('array')), /not "array"/],
    ['null', schema(annotated('null')), /not "null"/],
    ['several types', schema(annotated(['string', 'null'])), /not \["string","null"\]/],
    ['no type', schema({ 'x-mcp-header': 'A' }), /needs the type/],
    [
      'the same name twice',
      schema(annotated('string'), { b: annotated('string') }),
      /repeats the name "Region"/,
    ],
    [
      'the same name in another case',
      schema(annotated('string'), { b: annotated('string', 'rEGION') }),
      /repeats/,
    ],
    ['the schema itself', annotated('string'), /the schema itself/],
    ['items', schema({ type: 'array', items: annotated('string') }), /"region.items" is not on a property/],
    ['properties of items', schema({ items: schema(annotated('string')) }), /region.items.region/],
    ['a list of items', schema({ items: [annotated('string')] }), /not on a property/],
    ['prefixItems', schema({ prefixItems: [annotated('string')] }), /not on a property/],
    ['additionalProperties', schema({ additionalProperties: annotated('string') }), /not on a property/],
    ['patternProperties', schema({ patternProperties: { a: annotated('string') } }), /not on a property/],
    [
      '$defs',
      { $defs: { region: annotated('string') }, ...schema({ $ref: '#/$defs/region' }) },
      /\$defs.region/,
    ],
    ['definitions', { definitions: { region: annotated('string') } }, /not on a property/],
    ...['oneOf', 'anyOf', 'allOf'].map((keyword): [string, unknown, RegExp] => [
      keyword,
      { ...schema({}), [keyword]: [schema(annotated('string'))] },
      /not on a property/,
    ]),
    ...['not', 'if', 'then', 'else', 'contains', 'propertyNames', 'unevaluatedProperties'].map(
      (keyword): [string, unknown, RegExp] => [
        keyword,
        { ...schema({}), [keyword]: schema(annotated('string')) },
        /not on a property/,
      ],
    ),
  ])('on %s the tool is invalid', (_, input, reason) => {
    expect(paramHeaders(input)).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('the walk ends on schemas without end', () => {
    const loop: { properties: Record<string, unknown> } = { properties: {} }
    loop.properties.a = loop
    loop.properties.b = loop
    expect(paramHeaders(loop)).toEqual({ ok: false, reason: expect.stringMatching(/too large/) })
  })

  const headers: readonly ParamHeader[] = [
    { name: 'Region', path: ['region'], type: 'string' },
    { name: 'Limit', path: ['filter', 'limit'], type: 'integer' },
    { name: 'Verbose', path: ['verbose'], type: 'boolean' },
  ]
  const args = { region: 'us-west1', filter: { limit: 42 }, verbose: false, query: 'x' }

  test('values are mirrored, null and absent ones are not', () => {
    expect(paramHeaderValues(headers, args)).toEqual({
      'mcp-param-region': 'us-west1',
      'mcp-param-limit': '42',
      'mcp-param-verbose': 'false',
    })
    expect(paramHeaderValues(headers, { region: 'é', filter: { limit: -7 }, verbose: null })).toEqual({
      'mcp-param-region': '=?base64?w6k=?=',
      'mcp-param-limit': '-7',
    })
    for (const nothing of [
      undefined,
      null,
      'x',
      [],
      { region: {}, filter: [42] },
      Object.create({ region: 'x' }),
    ])
      expect(paramHeaderValues(headers, nothing)).toEqual({})
  })

  test.each<[unknown, Record<string, string>]>([
    [args, { 'mcp-param-region': 'us-west1', 'mcp-param-limit': '42', 'mcp-param-verbose': 'false' }],
    [{ region: 'us-west1' }, { 'mcp-param-region': '=?base64?dXMtd2VzdDE=?=' }],
    [{ filter: { limit: 42 } }, { 'mcp-param-limit': '42.0' }],
    [{ filter: { limit: 42 } }, { 'mcp-param-limit': '=?base64?NDI=?=' }],
    [{ filter: { limit: 0 } }, { 'mcp-param-limit': '-0' }],
    [{ region: null, verbose: null }, {}],
    [{ region: '' }, { 'mcp-param-region': '' }],
    [undefined, { 'mcp-param-other': 'unknown ones are ignored' }],
    [{ region: 'SGVsbG8=' }, { 'mcp-param-region': 'SGVsbG8=' }],
    [{ region: '=?base64?SGVsbG8=' }, { 'mcp-param-region': '=?base64?SGVsbG8=' }],
  ])('%j agree with %j', (given, values) => {
    expect(() => checkParamHeaders(headers, given, from(values))).not.toThrow()
  })

  test.each<[unknown, Record<string, string>, RegExp]>([
    [{ region: 'a' }, {}, /^Header mismatch: Mcp-Param-Region header is missing, body value is 'a'$/],
    [
      { region: 'a' },
      { 'mcp-param-region': 'A' },
      /Mcp-Param-Region header value 'A' does not match body value 'a'$/,
    ],
    [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVsbG8?=' }, /invalid Base64/],
    [{ region: 'Hello' }, { 'mcp-param-region': '=?base64?SGVs!!!bG8=?=' }, /invalid Base64/],
    [{ region: 'é' }, { 'mcp-param-region': 'é' }, /invalid characters/],
    [{ filter: { limit: 42 } }, {}, /Mcp-Param-Limit header is missing, body value is '42'/],
    [{ filter: { limit: 42 } }, { 'mcp-param-limit': '42.5' }, /'42.5' does not match body value '42'/],
    [{ filter: { limit: 42 } }, { 'mcp-param-limit': '0x2a' }, /does not match/],
    [{ filter: { limit: 42 } }, { 'mcp-param-limit': '4.2e1' }, /does not match/],
    [{ filter: { limit: 0 } }, { 'mcp-param-limit': '' }, /does not match/],
    [{ filter: { limit: 2 ** 53 } }, { 'mcp-param-limit': String(2 ** 53) }, /no safe integer/],
    [{ verbose: true }, { 'mcp-param-verbose': 'True' }, /does not match body value 'true'/],
    [{ region: null }, { 'mcp-param-region': 'a' }, /'a' does not match the body, which has no such value/],
    [{}, { 'mcp-param-verbose': 'true' }, /does not match the body/],
  ])('%j do not agree with %j', (given, values, message) => {
    expect(refusal(() => checkParamHeaders(headers, given, from(values)))).toMatch(message)
  })

  test('what a client mirrors a server accepts', () => {
    const given = fc.record(
      {
        region: fc.oneof(anyText, fc.constant(null)),
        filter: fc.record({ limit: fc.oneof(fc.maxSafeInteger(), fc.constant(-0)) }),
        verbose: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(given, value => {
        expect(() => checkParamHeaders(headers, value, from(paramHeaderValues(headers, value)))).not.toThrow()
      }),
    )
  })
})

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { describe, expect, it } from 'vitest'
import { resolveHeaders } from '../../../../src/node/http/header-values.js'

const env = { TOKEN: 's3cret', EMPTY: '', LINES: 'one\ntwo', SPACED: '  padded\n' }

describe('values of headers', () => {
  it.each([
    ['Bearer ${TOKEN}', 'Bearer s3cret'],
    ['Bearer ${env:TOKEN}', 'Bearer s3cret'],
    ['${TOKEN}:${TOKEN}', 's3cret:s3cret'],
    ['${NONE:-fallback}', 'fallback'],
    ['${EMPTY:-fallback}', 'fallback'],
    ['x${NONE:-}', 'x'],
    ['${TOKEN:-fallback}', 's3cret'],
    ['$${TOKEN}', '${TOKEN}'],
    ['$TOKEN', '$TOKEN'],
    ['open ${TOKEN', 'open ${TOKEN'],
    // A file that a variable was read from ends in a line break.
    ['${SPACED}', 'padded'],
    ['$& $1', '$& $1'],
  ])('%s', (given, sent) => {
    expect(resolveHeaders({ 'X-Key': given }, env)).toEqual({ 'x-key': sent })
  })

  it.each([
    [
      'a variable that is not set',
      { Authorization: 'Bearer ${NONE}' },
      'headers: Authorization needs the variable NONE, which is not set',
    ],
    [
      'one that is empty',
      { Authorization: 'Bearer ${EMPTY}' },
      'headers: Authorization needs the variable EMPTY, which is empty',
    ],
    [
      'another reference',
      { 'x-key': '${input:key}' },
      'headers: x-key has a reference in its value that is none to a variable or a caller; write ${NAME} or ${claim:NAME}, or $${ for the text ${',
    ],
    [
      'a line break',
      { 'x-key': '${LINES}' },
      'headers: x-key has a value with a line break or another character that no header can have',
    ],
    [
      'another alphabet',
      { 'x-key': 'ключ' },
      'headers: x-key has a value with a line break or another character that no header can have',
    ],
    ['no name', { 'x key': 's3cret' }, 'headers: "x key" is no name of a header'],
    ['a name twice', { 'X-Key': 's3cret', 'x-key': 'b' }, 'headers: x-key is given twice'],
    ['the length of the body', { 'Content-Length': '5' }, 'headers: Content-Length is set by anyport itself'],
    [
      'what the protocol says',
      { 'Mcp-Session-Id': 's3cret' },
      'headers: Mcp-Session-Id is set by anyport itself',
    ],
  ])('with %s are refused, and never shown', (_what, headers, message) => {
    let error: unknown
    try {
      resolveHeaders(headers as unknown as Record<string, string>, env)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toBe(message)
    expect((error as Error).message).not.toContain('s3cret')
  })

  it('of names that objects have by themselves are headers as well', () => {
    expect(resolveHeaders({ constructor: 'a' } as unknown as Record<string, string>)).toEqual({
      constructor: 'a',
    })
  })
})

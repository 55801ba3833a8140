import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseMessage } from '../../../src/protocol/parse.js'
import { parseProgress } from '../../../src/protocol/progress-line.js'

const line = (params: unknown) => ({ jsonrpc: '2.0', method: 'notifications/progress', params })
const reversed = (params: unknown) => ({ method: 'notifications/progress', params, jsonrpc: '2.0' })

describe('progress read without a parser', () => {
  it('knows the forms that the official SDKs write', () => {
    for (const write of [line, reversed]) {
      for (const params of [
        { progressToken: 0, progress: 0 },
        { progressToken: 12, progress: 0.5, total: 1 },
        { progressToken: 12, progress: 99, message: 'reading “ü” 🙂' },
        { progressToken: 999_999_999_999_999, progress: 1.25, total: 2000, message: '' },
      ]) {
        const text = JSON.stringify(write(params))
        expect(parseProgress(text)).toEqual(JSON.parse(text))
      }
    }
  })

  it('leaves everything else to the parser', () => {
    const valid = JSON.stringify(line({ progressToken: 1, progress: 2, total: 3, message: 'x' }))
    expect(parseProgress(valid)).toBeDefined()
    for (const text of [
      valid.replace('"jsonrpc":"2.0",', ''),
      valid.replace(/}$/, ',"jsonrpc":"2.0"}'),
      valid.replace(':1,', ':01,'),
      valid.replace(':1,', ':"1",'),
      valid.replace(':2,', ':-2,'),
      valid.replace(':2,', ':2e3,'),
      valid.replace(':2,', ':.5,'),
      valid.replace('"x"', '"a\\n"'),
      valid.replace('"x"', '"a\n"'),
      valid.replace('"x"', '"a"",'),
      valid.replace('"x"', '"x","_meta":{}'),
      valid.replace('"message"', '"progress"'),
      `${valid} `,
      ` ${valid}`,
      valid.slice(0, -1),
      valid.replace('"x"', JSON.stringify('x'.repeat(600))),
    ]) {
      expect(parseProgress(text), text).toBeUndefined()
    }
  })

  it('never reads what the parser refuses, and never otherwise than it does', () => {
    const valid = JSON.stringify(line({ progressToken: 1, progress: 2.5, total: 3, message: 'abc' }))
    const edit = fc.record({
      at: fc.nat(valid.length),
      remove: fc.nat(3),
      insert: fc.constantFrom(
        '',
        '0',
        '"',
        '\\',
        '{',
        '}',
        ',',
        ':',
        '.',
        '-',
        'e',
        '\n',
        '\u0000',
        'ü',
        ',"a":1',
      ),
    })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), edits => {
        let text = valid
        for (const { at, remove, insert } of edits)
          text = text.slice(0, at) + insert + text.slice(at + remove)
        const read = parseProgress(text)
        if (read !== undefined) expect(read).toEqual(JSON.parse(text))
      }),
      { numRuns: 5_000 },
    )
    expect(parseMessage(valid)).toEqual(JSON.parse(valid))
  })
})

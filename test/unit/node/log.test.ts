import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog, type LogOptions } from '../../../src/node/log.js'

function logged(options: LogOptions, write: (log: ReturnType<typeof createLog>) => void): string {
  const output = new PassThrough()
  write(createLog({ ...options, output }))
  return output.read()?.toString() ?? ''
}

describe('the log', () => {
  it('writes text for people', () => {
    const line = logged({}, log =>
      log.info('listening', 'Listening', { url: 'http://x', why: 'two words', n: 3 }),
    )
    expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}Listening url=http:\/\/x why="two words" n=3\n$/)
  })

  it('writes JSON for programs', () => {
    const line = logged({ format: 'json' }, log =>
      log.warn('x_y', 'Text', { error: new Error('boom'), big: 1n }),
    )
    expect(JSON.parse(line)).toMatchObject({
      level: 'warn',
      event: 'x_y',
      message: 'Text',
      error: { name: 'Error', message: 'boom' },
      big: '1',
    })
  })

  it.each([
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const)('at level %s writes %i of four', (level, count) => {
    const lines = logged({ level }, log => {
      log.debug('e', 'm')
      log.info('e', 'm')
      log.warn('e', 'm')
      log.error('e', 'm')
    })
    expect(lines.split('\n').length - 1).toBe(count)
  })

  it.each(['text', 'json'] as const)(
    'as %s keeps every record on one line without control characters',
    format => {
      const evil = 'a\nb\r\u001b[31mred\u009b\u2028\u202e'
      const line = logged({ format }, log => log.error('e', evil, { [evil]: evil, nested: { evil: [evil] } }))
      expect(line.endsWith('\n')).toBe(true)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/)
      if (format === 'json') expect(JSON.parse(line).message).toBe(evil)
    },
  )

  it('paints on terminals only', () => {
    expect(logged({ colors: true }, log => log.error('e', 'm'))).toContain('\u001b[31merror')
    expect(logged({}, log => log.error('e', 'm'))).not.toContain('\u001b')
  })

  it('drops and counts what a stuck reader leaves unread', () => {
    let release = () => {}
    const lines: string[] = []
    const output = new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        lines.push(chunk)
        release = done
      },
    })
    const log = createLog({ output })
    for (let record = 0; record < 5_000; record++) log.info('e', 'x'.repeat(1_000))
    expect(output.writableLength).toBeLessThan(1_100_000)
    const free = () => {
      while (output.writableLength > 0) release()
    }
    output.on('drain', () => {})
    const pump = setInterval(free, 0)
    return new Promise<void>(resolve => setTimeout(resolve, 30)).then(() => {
      clearInterval(pump)
      log.info('e', 'after')
      free()
      expect(lines.at(-2) ?? '').toMatch(/\d+ log records were dropped: stderr is not read count=\d+/)
    })
  })
})

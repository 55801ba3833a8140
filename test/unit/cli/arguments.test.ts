import { describe, expect, it } from 'vitest'
import {
  flag,
  integer,
  list,
  oneOf,
  parseArguments,
  text,
  UsageError,
  value,
} from '../../../src/cli/arguments.js'
import { nearest } from '../../../src/config/nearest.js'

const specs = {
  port: value('Port', integer(0, 65_535), { metavar: 'PORT', default: '3000' }),
  host: value('Host', text, { metavar: 'HOST' }),
  env: list('Variable', text, { metavar: 'K=V' }),
  format: value('Format', oneOf('text', 'json'), { metavar: 'FORMAT', default: 'text' }),
  quiet: flag('Quiet'),
}

const parse = (...argv: string[]) => parseArguments(specs, argv)

describe('a command line', () => {
  it('has defaults', () => {
    expect(parse()).toEqual({
      options: { port: 3000, host: undefined, env: [], format: 'text', quiet: false },
      positionals: [],
      rest: undefined,
      given: new Set(),
    })
  })

  it('has options in both forms, positionals between them, and a rest that is not looked at', () => {
    const parsed = parse(
      'one',
      '--port=0',
      '--env',
      'A=1',
      '--quiet',
      '--env',
      'B=--x',
      'two',
      '--',
      'npx',
      '--port',
      '--',
    )
    expect(parsed.options).toMatchObject({ port: 0, env: ['A=1', 'B=--x'], quiet: true })
    expect(parsed.positionals).toEqual(['one', 'two'])
    expect(parsed.rest).toEqual(['npx', '--port', '--'])
    expect(parsed.given).toEqual(new Set(['port', 'env', 'quiet']))
  })

  it.each([
    [['--prot', '1'], 'Unknown option --prot; did you mean --port?'],
    [['--form=json'], 'Unknown option --form; did you mean --format?'],
    [['--something'], 'Unknown option --something'],
    [['-p'], 'Unknown option -p'],
    [['--toString', 'x'], 'Unknown option --toString'],
    [['--port'], '--port needs a value: --port PORT'],
    [['--port', '--', 'x'], '--port needs a value: --port PORT'],
    [['--port', '99999'], '--port: "99999" is no whole number from 0 to 65535'],
    [['--port', '1', '--port', '2'], '--port is given twice'],
    [['--host='], '--host: the value is empty'],
    [['--quiet=yes'], '--quiet takes no value'],
    [['--format', 'jsn'], '--format: "jsn" is none of text, json; did you mean json?'],
  ])('%j is refused', (argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError)
    expect(() => parse(...argv)).toThrow(new RegExp(`^${message.replace(/[.?]/g, '\\$&')}$`))
  })

  it('knows what was probably meant', () => {
    expect(nearest('serv', ['serve', 'help'])).toBe('serve')
    expect(nearest('sevre', ['serve', 'help'])).toBe('serve')
    expect(nearest('quux', ['serve', 'help'])).toBeUndefined()
  })
})

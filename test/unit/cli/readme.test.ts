import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { OptionSpecs } from '../../../src/cli/arguments.js'
import { commandHelp } from '../../../src/cli/help.js'
import { SERVE } from '../../../src/cli/serve-options.js'

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
const table = readFileSync(new URL('../../../docs/options.md', import.meta.url), 'utf8')
const help = commandHelp(SERVE)
const options: OptionSpecs = SERVE.options

/** The rows of the table of options: `--name METAVAR`, meaning, default. */
const rows = new Map(
  table.split('\n').flatMap(line => {
    const [, name, metavar = '', standard = ''] =
      /^\| `--([a-z-]+) ?([^`]*)` *\|[^|]+\| *([^|]*?) *\|$/.exec(line) ?? []
    return name === undefined ? [] : [[name, { metavar, standard }] as const]
  }),
)

describe('the options in the documents are those of the command', () => {
  it('every option of the help, and no other', () => {
    const inHelp = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name)
    expect([...rows.keys()]).toEqual(inHelp)
    expect(inHelp).toEqual(Object.keys(options))
  })

  it('names of values and defaults', () => {
    for (const [name, { metavar, standard }] of rows) {
      const option = options[name]
      expect([name, metavar]).toEqual([name, option?.metavar ?? ''])
      // Where there is no fixed default, words may say what happens.
      if (option?.default !== undefined) expect([name, standard]).toEqual([name, `\`${option.default}\``])
      else expect(standard).not.toContain('`')
    }
  })

  it('options that the text mentions exist', () => {
    const mentioned = [...readme.matchAll(/(?<![\w-])--([a-z][a-z-]+)/g)].map(([, name]) => name as string)
    const others = ['transport', 'client']
    expect(mentioned.filter(name => !Object.hasOwn(options, name) && !others.includes(name))).toEqual([])
  })
})

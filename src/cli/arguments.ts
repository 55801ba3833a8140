/** Command lines by declaration: the same table parses the options, checks them, and writes the help. */

import { nearest } from '../config/nearest.js'

export interface OptionSpec<T> {
  readonly kind: 'value' | 'flag' | 'list'
  readonly description: string
  /** What stands for the value in the help: `PORT`. */
  readonly metavar: string | undefined
  /** Shown in the help; the text that is parsed where the option is not given. */
  readonly default: string | undefined
  /** The heading under which the help lists it. */
  readonly group: string | undefined
  /** Throws `TypeError` for what it does not understand. */
  readonly parse: (text: string) => unknown
  /** Where the value is one of these. */
  readonly choices: readonly string[] | undefined
  /** Phantom: carries the type of the parsed value. */
  readonly type?: T
}

export type OptionSpecs = Readonly<Record<string, OptionSpec<unknown>>>

export type OptionValues<S extends OptionSpecs> = {
  readonly [K in keyof S]: S[K] extends OptionSpec<infer T> ? T : never
}

export interface ParsedArguments<S extends OptionSpecs> {
  readonly options: OptionValues<S>
  /** What stands before `--` and is no option. */
  readonly positionals: readonly string[]
  /** Everything after `--`; undefined where there is no `--`. */
  readonly rest: readonly string[] | undefined
  /** The names of the options that were given, rather than left at their default. */
  readonly given: ReadonlySet<string>
}

/** Wrong use of the command line: exit code 2, and a pointer to the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What reads a value; it tells what there is to choose from, where it is a choice. */
type Parse<T> = ((text: string) => T) & { readonly choices?: readonly string[] }

interface ValueSettings {
  readonly metavar: string
  readonly group?: string
}

/** An option with a value. Without a default it may be undefined. */
export function value<T>(
  description: string,
  parse: Parse<T>,
  settings: ValueSettings & { readonly default: string },
): OptionSpec<T>
export function value<T>(
  description: string,
  parse: Parse<T>,
  settings: ValueSettings,
): OptionSpec<T | undefined>
export function value<T>(
  description: string,
  parse: Parse<T>,
  settings: ValueSettings & { readonly default?: string },
): OptionSpec<T | undefined> {
  const { metavar, group } = settings
  const { choices } = parse
  return { kind: 'value', description, parse, choices, metavar, group, default: settings.default }
}

/** An option that may be repeated. */
export function list<T>(
  description: string,
  parse: Parse<T>,
  { metavar, group }: ValueSettings,
): OptionSpec<readonly T[]> {
  const { choices } = parse
  return { kind: 'list', description, parse, choices, metavar, group, default: undefined }
}

/** An option without a value. */
export function flag(description: string, { group }: { readonly group?: string } = {}): OptionSpec<boolean> {
  const nothing = { choices: undefined, metavar: undefined, default: undefined }
  return { kind: 'flag', description, parse: () => true, group, ...nothing }
}

export function text(given: string): string {
  if (given === '') throw new TypeError('the value is empty')
  return given
}

export function oneOf<const T extends string>(...choices: readonly T[]): Parse<T> {
  const parse = (given: string): T => {
    const choice = choices.find(candidate => candidate === given)
    if (choice !== undefined) return choice
    const near = nearest(given, choices)
    const list = choices.join(', ')
    throw new TypeError(
      `${JSON.stringify(given)} is none of ${list}${near === undefined ? '' : `; did you mean ${near}?`}`,
    )
  }
  return Object.assign(parse, { choices })
}

export function integer(minimum: number, maximum: number): (given: string) => number {
  return given => {
    const number = Number(given)
    if (/^\d+$/.test(given) && number >= minimum && number <= maximum) return number
    throw new TypeError(`${JSON.stringify(given)} is no whole number from ${minimum} to ${maximum}`)
  }
}

/** Throws `UsageError`. Options may be written `--name value` or `--name=value`, before or after positionals. */
export function parseArguments<const S extends OptionSpecs>(
  specs: S,
  argv: readonly string[],
): ParsedArguments<S> {
  const values: Record<string, unknown> = {}
  const positionals: string[] = []
  const given = new Set<string>()
  let rest: readonly string[] | undefined

  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] as string
    if (argument === '--') {
      rest = argv.slice(index + 1)
      break
    }
    if (!argument.startsWith('-') || argument === '-') {
      positionals.push(argument)
      continue
    }
    const [, name, inline] = /^--([^=]*)(?:=(.*))?$/s.exec(argument) ?? []
    const spec = name === undefined || !Object.hasOwn(specs, name) ? undefined : specs[name]
    if (name === undefined || spec === undefined) throw unknownOption(argument, Object.keys(specs))
    if (spec.kind === 'flag') {
      if (inline !== undefined) throw new UsageError(`--${name} takes no value`)
      values[name] = true
    } else {
      const text = inline ?? argv[++index]
      if (text === undefined || (inline === undefined && text === '--')) {
        throw new UsageError(`--${name} needs a value: --${name} ${spec.metavar}`)
      }
      const parsed = parseValue(name, spec, text)
      if (spec.kind === 'list') values[name] = [...((values[name] as unknown[]) ?? []), parsed]
      else if (given.has(name)) throw new UsageError(`--${name} is given twice`)
      else values[name] = parsed
    }
    given.add(name)
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (given.has(name)) continue
    if (spec.kind === 'flag') values[name] = false
    else if (spec.kind === 'list') values[name] = []
    else values[name] = spec.default === undefined ? undefined : spec.parse(spec.default)
  }
  return { options: values as OptionValues<S>, positionals, rest, given }
}

function parseValue(name: string, spec: OptionSpec<unknown>, text: string): unknown {
  try {
    return spec.parse(text)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new UsageError(`--${name}: ${error.message}`)
  }
}

function unknownOption(argument: string, names: readonly string[]): UsageError {
  const name = argument.replace(/^-+/, '').replace(/=.*$/s, '')
  const near = nearest(name, names)
  return new UsageError(
    `Unknown option ${argument.replace(/=.*$/s, '')}${near === undefined ? '' : `; did you mean --${near}?`}`,
  )
}

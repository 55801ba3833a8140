/** What there is to complete, read off the tables that the command line is parsed with. */

import { CLIENTS } from '../config/clients.js'
import type { OptionSpec } from './arguments.js'
import type { CommandSpec } from './help.js'

/** What may follow: one of some words, a path, or what nobody can guess. */
export type Following =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' | 'folders' | 'anything' }

export interface CompletedOption {
  /** Without the dashes. */
  readonly name: string
  readonly description: string
  /** The name of the value. */
  readonly metavar: string
  readonly isRepeatable: boolean
  /** Undefined for one without a value. */
  readonly value: Following | undefined
}

export interface CompletedCommand {
  readonly name: string
  readonly summary: string
  /** Words that may come first: `anyport config list`. */
  readonly actions: readonly string[]
  /** Whether other words are files. */
  readonly takesFiles: boolean
  readonly options: readonly CompletedOption[]
}

export function completedCommands(specs: Readonly<Record<string, CommandSpec>>): readonly CompletedCommand[] {
  return Object.entries(specs).map(([name, { usage, summary, options }]) => ({
    name,
    summary: /^.*?[.:](?= |$)/.exec(summary)?.[0].slice(0, -1) ?? summary,
    actions: [...new Set(usage.flatMap(line => actionOf(name, line)))],
    takesFiles: usage.some(takesFile),
    options: [
      ...Object.entries(options).map(([own, spec]) => completedOption(own, spec)),
      { name: 'help', description: 'Explain it', metavar: '', isRepeatable: false, value: undefined },
    ],
  }))
}

function completedOption(name: string, spec: OptionSpec<unknown>): CompletedOption {
  const { kind, description, metavar } = spec
  return {
    name,
    description,
    metavar: metavar ?? '',
    isRepeatable: kind === 'list',
    value: kind === 'flag' ? undefined : followingOf(spec),
  }
}

function followingOf({ choices, metavar }: OptionSpec<unknown>): Following {
  if (choices !== undefined) return { kind: 'words', words: choices }
  if (metavar === 'FILE') return { kind: 'files' }
  if (metavar === 'FOLDER') return { kind: 'folders' }
  if (metavar === 'CLIENT') return { kind: 'words', words: CLIENTS.map(({ id }) => id) }
  return { kind: 'anything' }
}

/** `anyport config add NAME` has one, `anyport serve URL` none. */
function actionOf(name: string, line: string): readonly string[] {
  const [, command, action = ''] = line.split(' ')
  return command === name && /^[a-z]+$/.test(action) ? [action] : []
}

/** A file that is no option's. */
function takesFile(line: string): boolean {
  return line.replace(/--[a-z-]+ [A-Z]+/g, '').includes('FILE')
}

/** Advice for people. */

import type { Client } from '../config/client.js'
import type { Note } from '../config/entry-writer.js'
import { type Decision, type Situation, TITLES } from './advice.js'
import type { Setup } from './advice-setup.js'

export interface Advice {
  readonly situation: Situation
  readonly decision: Decision
  readonly setup: Setup
  readonly entry: ClientEntry
}

/** What the client's file has to hold. */
export interface ClientEntry {
  readonly client: Client
  readonly title: string
  readonly file: string | undefined
  /** A file that has nothing else. */
  readonly text: string
  /** What the client cannot hold, or what it means there. */
  readonly notes: readonly Note[]
}

export function adviceText({ decision, setup, entry }: Advice): string {
  const lines = [TITLES[decision.choice], '', 'Why']
  lines.push(...decision.reasons.map(reason => `  - ${reason}`), '', 'What speaks against the others')
  for (const { choice, reasons } of decision.against)
    lines.push(`  ${TITLES[choice]}`, ...reasons.map(reason => `    - ${reason}`))
  lines.push('', 'What to do')
  let step = 0
  for (const { title, command, code } of setup.steps) {
    lines.push(`  ${++step}. ${title}:`, '')
    if (command !== undefined) lines.push(`       ${shellLine(command)}`, '')
    if (code !== undefined) lines.push(...indented(code, '       '), '')
  }
  const where = entry.file === undefined ? entry.title : `${entry.title}, in ${entry.file}`
  lines.push(`  ${++step}. ${where}:`, '', ...indented(entry.text, '       '), '')
  lines.push('     This puts it there:', '', `       ${shellLine(setup.add)}`, '')
  const notes = [...setup.notes, ...entry.notes.map(({ message }) => `${message}.`)]
  if (notes.length > 0) lines.push('To know', ...notes.map(note => `  - ${note}`), '')
  return `${lines.join('\n')}`
}

/** Words as a POSIX shell takes them. */
export function shellLine(words: readonly string[]): string {
  return words
    .map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}

function indented(text: string, by: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map(line => (line === '' ? '' : by + line))
}

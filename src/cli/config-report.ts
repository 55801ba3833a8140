/** What `anyport config` says: results on stdout, everything else on stderr. */

import type { Note } from '../config/entry-writer.js'
import { formatProblem, type Problem } from '../config/problem.js'
import type { UnresolvedEntry } from '../config/server-entry.js'
import type { Template } from '../config/template.js'
import { anyportVariables } from '../config/variables.js'
import { printable } from '../exchange/printable.js'
import { nameOfCommand } from '../node/process/spawn-error.js'

/** What a person sees of a server; nothing that may be secret. */
export function describeServer({ name, server }: UnresolvedEntry): {
  readonly name: string
  readonly kind: string
  readonly target: string
} {
  const show = (template: Template) => anyportVariables.write(template) ?? '...'
  if (server.kind === 'remote')
    return {
      name,
      kind: server.transport,
      target: show(server.url)
        .replace(/\/\/[^/@]*@/, '//***@')
        .replace(/\?.*$/s, '?...'),
    }
  return { name, kind: 'stdio', target: nameOfCommand(show(server.command), server.args.map(show)) }
}

/** True where there is an error, or a warning that counts as one. */
export function report(problems: readonly Problem[], strict: boolean): boolean {
  for (const problem of problems)
    tell(`${problem.severity === 'error' || strict ? 'error' : 'warning'}: ${formatProblem(problem)}`)
  return problems.some(({ severity }) => severity === 'error' || strict)
}

export function tellNotes(notes: readonly Note[]): void {
  for (const { server, field, kind, message } of notes) tell(`${kind}: ${server}: ${field}: ${message}`)
}

export function print(line: string): void {
  write(`${line}\n`)
}

export function write(text: string): void {
  process.stdout.write(text)
}

export function tell(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}

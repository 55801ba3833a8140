/** An error as a person wants to read it: one sentence, then what the program last said, and the stack only on request. */

import { TransportError } from '../exchange/errors.js'
import { printable } from '../exchange/printable.js'

export function describeError(error: unknown, { stack = false } = {}): string {
  if (!(error instanceof Error)) return printable(String(error))
  const lines = [printable(error.message)]
  if (error instanceof TransportError && (error.facts.stderr?.length ?? 0) > 1) {
    lines.push('The last lines it wrote to stderr:')
    for (const line of error.facts.stderr?.slice(-10) ?? []) lines.push(`  | ${printable(line)}`)
  }
  if (stack && error.stack !== undefined) lines.push(...error.stack.split('\n').map(printable))
  return lines.join('\n')
}

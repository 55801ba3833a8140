import type { Place } from './template.js'

/** What is wrong with a configuration, and where. */
export interface Problem {
  /** An error cannot work; a warning works, but not as its writer thought, or not in every client. */
  readonly severity: 'error' | 'warning'
  readonly place: Place
  /** One sentence without the place. It never holds the value of a field that may be secret. */
  readonly message: string
}

/** A configuration that cannot work: each problem with file, line and column. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'))
  }
}

export function formatProblem({ place, message }: Problem): string {
  return `${place.file}:${place.line}:${place.column}: ${message}`
}

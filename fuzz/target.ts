import type { Random } from './random.js'

export type Input = string | Uint8Array

/** Something that reads what others write, and what must hold for whatever they write. */
export interface Target {
  readonly name: string
  /** How many of a run's inputs it gets, compared with others. */
  readonly weight: number
  /** Milliseconds that one check may take at most, where the machine has nothing else to do. Default 250. */
  readonly limit?: number
  make(random: Random): Input
  /**
   * Throws where anything is wrong: whatever the code under test throws that it has not announced is wrong. The same `random` comes with the
   * same input.
   */
  check(input: never, random: Random): void | Promise<void>
}

class Violation extends Error {
  override readonly name = 'Violation'
}

export function must(holds: boolean, what: string | (() => string)): asserts holds {
  if (!holds) throw new Violation(typeof what === 'string' ? what : what())
}

/** What `run` gives, or the error that it was allowed to throw. */
export function attempt<T, E extends Error>(
  run: () => T,
  allowed: new (...args: never[]) => E,
): { readonly value: T } | { readonly error: E } {
  try {
    return { value: run() }
  } catch (error) {
    if (error instanceof allowed && error.constructor === allowed) return { error }
    throw error
  }
}

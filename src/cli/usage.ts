import { UsageError } from './arguments.js'

/** What the library calls an option, the command line calls so too. */
export function usage<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new UsageError(
      error.message.replace(/^headers: /, '--header: ').replace(/^(ca|cert|key|proxy): /, '--$1: '),
    )
  }
}

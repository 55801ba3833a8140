/** How a command that calls servers ends: by an answer, by what went wrong, or by a signal. */

import { TransportError } from '../exchange/errors.js'
import { printable } from '../exchange/printable.js'
import { MISSING_CAPABILITY, RpcError } from '../protocol/errors.js'
import { isObject } from '../protocol/meta.js'
import { UsageError } from './arguments.js'
import { describeError } from './describe-error.js'

export interface Interruption {
  readonly signal: AbortSignal
  /** As ^C would. */
  interrupt(): void
  /** The exit code; undefined where nobody interrupted. */
  code(): number | undefined
  release(): void
}

/** The first signal cancels; the second ends us at once, children included. */
export function interruption(): Interruption {
  const controller = new AbortController()
  let code: number | undefined
  const stop = (own: number) => {
    if (code !== undefined) process.exit(own)
    code = own
    controller.abort()
  }
  const handlers = { SIGINT: () => stop(130), SIGTERM: () => stop(143), SIGHUP: () => stop(129) }
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler)
  return {
    signal: controller.signal,
    interrupt: handlers.SIGINT,
    code: () => code,
    release: () => {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler)
    },
  }
}

/** Says on stderr what went wrong. 1: the server answered so; 2: it could not be asked. Throws what is wrong use, or a mistake of ours. */
export function codeOfFailure(error: unknown): number {
  if (error instanceof UsageError) throw error
  if (error instanceof RpcError) {
    process.stderr.write(`anyport: ${rpcText(error)}\n`)
    return 1
  }
  if (!(error instanceof TransportError)) throw error
  process.stderr.write(`anyport: ${describeError(error)}\n`)
  const { knob } = error.facts
  if (knob !== undefined) process.stderr.write(`The option for it is ${knob}.\n`)
  return 2
}

function rpcText({ code, message, data }: RpcError): string {
  const needed = isObject(data) && isObject(data.requiredCapabilities) ? data.requiredCapabilities : {}
  if (code === MISSING_CAPABILITY && Object.hasOwn(needed, 'sampling'))
    return 'The server asks for a completion by a model (sampling), which a command line does not have: declined'
  if (code === MISSING_CAPABILITY && Object.hasOwn(needed, 'roots'))
    return 'The server asks for the folders that it may work in: --root FOLDER names one'
  return `The server answered with error ${code}: ${printable(message)}`
}

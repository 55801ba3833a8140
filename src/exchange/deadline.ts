import type { Context } from './context.js'
import { TransportError } from './errors.js'

/** The promise's outcome, unless the call is cancelled first. The promise itself goes on. */
export function orCancelled<T>(promise: Promise<T>, context: Context): Promise<T> {
  return new Promise((resolve, reject) => {
    const off = context.onCancel(reason =>
      reject(new TransportError('ERR_CANCELLED', `The call was cancelled (${reason})`)),
    )
    promise.then(
      value => {
        off()
        resolve(value)
      },
      error => {
        off()
        reject(error)
      },
    )
  })
}

/** The promise's outcome, unless `milliseconds` pass first: then it rejects with what `late` makes. */
export function within<T>(promise: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), milliseconds)
    promise.then(
      value => {
        clearTimeout(timer)
        resolve(value)
      },
      error => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/** Resolves after so many milliseconds, or as soon as the call is cancelled. */
export function delay(milliseconds: number, context: Context): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      off()
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    const off = context.cancelled === undefined ? context.onCancel(end) : () => {}
    if (context.cancelled !== undefined) end()
  })
}

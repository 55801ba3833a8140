/** What tools answer. */

import { explainError } from '../errors.js'

/** @param {string} text */
export function textResult(text) {
  return { content: [{ type: /** @type {const} */ ('text'), text }] }
}

/**
 * @param {string} text
 * @param {Record<string, unknown>} structuredContent
 */
export function structuredResult(text, structuredContent) {
  return { ...textResult(text), structuredContent }
}

/** @param {string} text */
export function failedResult(text) {
  return { ...textResult(text), isError: true }
}

/**
 * What `run` gives, or what went wrong in words that a model can use.
 * @template T
 * @param {() => Promise<T>} run
 * @param {Parameters<typeof explainError>[1]} about
 */
export async function resultOf(run, about) {
  try {
    return await run()
  } catch (error) {
    return failedResult(explainError(error, about))
  }
}

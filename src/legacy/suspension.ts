import { contextKey } from '../exchange/context.js'
import type { JSONRPCErrorObject } from '../protocol/message.js'

/**
 * What a question's asker can do besides answering it, where both eras meet in one process. The modern wire has
 * no word for "the user refused" or "never mind" (ERAS rows 26f, 32); in process nothing needs to be lost.
 */
export interface Suspension {
  /** The question under this key was refused: its server is told so on the retry. */
  reject(key: string, error: JSONRPCErrorObject): void
  /** Nobody will retry: the suspended call ends now instead of at its expiry. */
  abandon(): void
}

/** Set on the context of a call that was just suspended. */
export const SUSPENSION = contextKey<Suspension>('suspension')

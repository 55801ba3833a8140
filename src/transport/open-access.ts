import type { HttpMiddleware } from '../exchange/http.js'

/** What a face lets its guards know. */
export interface GuardedFace {
  readonly publicUrl?: string | undefined
  /** Whether a path is one of its endpoints, which clients may look for metadata of. */
  readonly isEndpoint?: ((path: string) => boolean) | undefined
}

/** The guards of a face. Apart from what makes them, so that whoever needs none does not carry them. */
export interface HttpAccess {
  /** Before everything else: who is asking, and from where. `watch` goes around all that refuses, once it is known who asks. */
  approach(watch: HttpMiddleware): HttpMiddleware
  /** Once host and origin are accepted. */
  entrance(face: GuardedFace): HttpMiddleware
  /** Origins that may call besides those of the face. */
  readonly isAllowedOrigin: ((origin: string) => boolean) | undefined
}

/** Everybody whose host and origin are accepted. */
export const OPEN: HttpAccess = {
  approach: watch => watch,
  entrance: () => next => next,
  isAllowedOrigin: undefined,
}

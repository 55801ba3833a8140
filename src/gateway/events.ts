/** What the lists of a gateway are made of, and what happens to them. */

/** What a gateway keeps of its servers. */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'templates'

export type GatewayEvent =
  /** A server did not say what it has, in time or at all: its entries are missing, or those known before stand in for them. */
  | { readonly type: 'unavailable'; readonly server: string; readonly error: Error }
  /** It does again. */
  | { readonly type: 'available'; readonly server: string }
  /**
   * Several things would have been called the same. Each is `SERVER/NAME`. `renamed`: each got a longer name; `refused`: all but
   * the first are left out.
   */
  | {
      readonly type: 'collision'
      readonly kind: ListKind
      readonly name: string
      readonly between: readonly string[]
      readonly outcome: 'renamed' | 'refused'
    }
  /** A configured rename was not applied: the server has something else of that name. */
  | {
      readonly type: 'rename-refused'
      readonly kind: ListKind
      readonly server: string
      readonly name: string
      readonly wanted: string
    }
  /** More tools than `maxTools`: so many are not listed, and can be found by searching. */
  | { readonly type: 'over-budget'; readonly tools: number; readonly hidden: number }
  /** The servers behind the gateway are others now. */
  | {
      readonly type: 'servers-changed'
      readonly added: readonly string[]
      readonly replaced: readonly string[]
      readonly removed: readonly string[]
    }

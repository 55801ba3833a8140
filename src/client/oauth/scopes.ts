/** Which scopes to ask for (basic/authorization, Scope Selection Strategy and Step-Up Authorization Flow). */

const OFFLINE = 'offline_access'

export interface ScopeSources {
  /** By a person's choice. */
  readonly chosen: readonly string[] | undefined
  /** What the challenge demands. */
  readonly challenged: readonly string[] | undefined
  /** What the metadata of the server suggests. */
  readonly suggested: readonly string[] | undefined
  /** What the authorization server knows. */
  readonly supported: readonly string[] | undefined
  /** Whether tokens will be renewed without a person. */
  readonly renewable: boolean
}

/** The first of them that says anything; with `offline_access` where the authorization server has it and we can use it. */
export function initialScopes({
  chosen,
  challenged,
  suggested,
  supported,
  renewable,
}: ScopeSources): readonly string[] {
  const scopes = chosen ?? challenged ?? suggested ?? []
  // Alone it would replace what the authorization server gives by default.
  if (!renewable || scopes.length === 0 || !supported?.includes(OFFLINE)) return scopes
  return union(scopes, [OFFLINE])
}

/** With what was asked for before, so that permissions for other operations are kept. */
export function raisedScopes(before: readonly string[], demanded: readonly string[]): readonly string[] {
  return union(before, demanded)
}

/** What is demanded and was not granted. */
export function lacking(demanded: readonly string[], granted: readonly string[]): readonly string[] {
  return demanded.filter(scope => !granted.includes(scope))
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])]
}

/** Who may do what, by rules that are compiled once. */

import type { Caller } from '../../exchange/context.js'
import { globTest } from '../../exchange/glob.js'
import { isObject } from '../../protocol/meta.js'
import type { TargetKind } from './target-of.js'

/** In patterns, `*` stands for any characters and `?` for one. */
export interface AccessMatch {
  /** Servers, by the names they have in a gateway. Default: all, and one that has no name. */
  readonly servers?: readonly string[] | undefined
  /** Names and URIs are those of the server itself. Where none of these four is given, everything of the servers is meant. */
  readonly tools?: readonly string[] | undefined
  readonly prompts?: readonly string[] | undefined
  /** URIs. */
  readonly resources?: readonly string[] | undefined
  readonly methods?: readonly string[] | undefined
}

export interface AccessRule {
  /** Exactly one of the two. What any rule denies is denied; else what any allows is allowed; else nothing is. */
  readonly allow?: AccessMatch | undefined
  readonly deny?: AccessMatch | undefined
  /** Whom the rule is about: all that is given must hold. Default: everybody. */
  readonly principals?: readonly string[] | undefined
  /** OAuth scopes, all of which the caller must have. */
  readonly scopes?: readonly string[] | undefined
  /** For each claim one of these values; a claim that is a list must have one of them among its own. */
  readonly claims?:
    | Readonly<Record<string, string | number | boolean | readonly (string | number | boolean)[]>>
    | undefined
}

export type Verdict = 'allowed' | 'denied' | { readonly missing: readonly string[] }

/** What is asked for: a tool, prompt or resource, or a method that names none. */
export interface Asked {
  readonly server: string | undefined
  readonly method: string
  readonly kind?: TargetKind | undefined
  readonly name?: string | undefined
}

/** Throws `TypeError` that names the rule which cannot work. */
export function accessRules(rules: readonly AccessRule[]): AccessRules {
  return new AccessRules(rules.map((rule, index) => new CompiledRule(checked(rule, `rules[${index}]`))))
}

export class AccessRules {
  readonly #rules: readonly CompiledRule[]

  constructor(rules: readonly CompiledRule[]) {
    this.#rules = rules
  }

  /** Depends on the names alone, not on what there is: so that nobody learns from it what there is. */
  verdict(asked: Asked, caller: Caller): Verdict {
    let allowed = false
    let missing: readonly string[] | undefined
    for (let index = 0; index < this.#rules.length; index++) {
      const rule = this.#rules[index] as CompiledRule
      if (!rule.covers(asked) || !rule.names(caller)) continue
      const lacking = rule.lacking(caller)
      if (lacking.length > 0) {
        // Somebody who signed in may sign in for more; the least that would do is what is asked for.
        if (rule.allows && (missing === undefined || lacking.length < missing.length)) missing = lacking
        continue
      }
      if (!rule.allows) return 'denied'
      allowed = true
    }
    if (allowed) return 'allowed'
    // To nobody else: that would say that there is something.
    return missing === undefined || caller.claims === undefined ? 'denied' : { missing }
  }

  /** Says which rules are about the caller: callers of the same class see the same. */
  classOf(caller: Caller): string {
    let text = ''
    for (const rule of this.#rules)
      text += rule.names(caller) && rule.lacking(caller).length === 0 ? '1' : '0'
    return text
  }
}

class CompiledRule {
  readonly allows: boolean
  readonly #servers: NameTest | undefined
  readonly #methods: NameTest | undefined
  readonly #kinds: Readonly<Record<TargetKind, NameTest | undefined>>
  readonly #everything: boolean
  readonly #principals: NameTest | undefined
  readonly #claims: readonly (readonly [name: string, accepted: readonly unknown[]])[]
  readonly #scopes: readonly string[]

  constructor(rule: AccessRule) {
    this.allows = rule.allow !== undefined
    const match = (rule.allow ?? rule.deny) as AccessMatch
    const { tools, prompts, resources } = match
    this.#servers = testOf(match.servers)
    this.#methods = testOf(match.methods)
    this.#kinds = { tools: testOf(tools), prompts: testOf(prompts), resources: testOf(resources) }
    this.#everything = KINDS.every(kind => match[kind] === undefined)
    this.#principals = testOf(rule.principals)
    this.#claims = Object.entries(rule.claims ?? {}).map(
      ([name, wanted]) => [name, Array.isArray(wanted) ? wanted : [wanted]] as const,
    )
    this.#scopes = rule.scopes ?? NOTHING
  }

  covers({ server, method, kind, name }: Asked): boolean {
    if (this.#servers !== undefined && (server === undefined || !this.#servers(server))) return false
    if (this.#everything || this.#methods?.(method)) return true
    if (kind === undefined || name === undefined) return false
    return this.#kinds[kind]?.(name) ?? false
  }

  names(caller: Caller): boolean {
    if (this.#principals !== undefined) {
      const { principal } = caller
      if (principal === undefined || !this.#principals(principal)) return false
    }
    if (this.#claims.length === 0) return true
    return this.#claims.every(([name, accepted]) => {
      const has =
        caller.claims !== undefined && Object.hasOwn(caller.claims, name) ? caller.claims[name] : undefined
      const values = Array.isArray(has) ? has : [has]
      return values.some(value => value !== undefined && accepted.includes(value))
    })
  }

  lacking(caller: Caller): readonly string[] {
    if (this.#scopes.length === 0) return NOTHING
    const has = scopesOf(caller)
    return this.#scopes.filter(scope => !has.includes(scope))
  }
}

const KINDS = ['tools', 'prompts', 'resources', 'methods'] as const

/** RFC 9068 2.2.3 writes them as one text, some issuers as a list. */
function scopesOf({ claims }: Caller): readonly unknown[] {
  const scope = claims?.scope ?? claims?.scp
  if (typeof scope === 'string') return scope.split(' ')
  return Array.isArray(scope) ? scope : []
}

type NameTest = (name: string) => boolean

function testOf(patterns: readonly string[] | undefined): NameTest | undefined {
  return patterns === undefined ? undefined : globTest(patterns)
}

const NOTHING: readonly string[] = []

/** A misspelt key would be a rule that says something else, so that none is overlooked. */
function checked(rule: AccessRule, at: string): AccessRule {
  onlyKeys(rule, ['allow', 'deny', 'principals', 'scopes', 'claims'], at)
  if ((rule.allow === undefined) === (rule.deny === undefined))
    throw new TypeError(`${at}: expected either "allow" or "deny"`)
  // A deny that can be escaped by asking for fewer scopes is none.
  if (rule.deny !== undefined && rule.scopes !== undefined)
    throw new TypeError(
      `${at}.scopes: a rule that denies cannot depend on scopes, which callers may leave out`,
    )
  const match = (rule.allow ?? rule.deny) as AccessMatch
  const side = rule.allow === undefined ? `${at}.deny` : `${at}.allow`
  onlyKeys(match, ['servers', ...KINDS], side)
  for (const key of ['servers', ...KINDS] as const) patternsAt(match[key], `${side}.${key}`)
  patternsAt(rule.principals, `${at}.principals`)
  patternsAt(rule.scopes, `${at}.scopes`)
  // RFC 6749 3.3; it is written into a header.
  for (const scope of rule.scopes ?? [])
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
      throw new TypeError(`${at}.scopes: ${JSON.stringify(scope)} is no scope`)
  if (rule.claims !== undefined) {
    if (!isObject(rule.claims)) throw new TypeError(`${at}.claims: expected an object`)
    for (const [name, wanted] of Object.entries(rule.claims))
      for (const value of Array.isArray(wanted) ? wanted : [wanted])
        if (!['string', 'number', 'boolean'].includes(typeof value))
          throw new TypeError(`${at}.claims.${name}: expected a text, number or boolean, or a list of them`)
  }
  return rule
}

function onlyKeys(value: unknown, keys: readonly string[], at: string): void {
  if (!isObject(value)) throw new TypeError(`${at}: expected an object`)
  for (const key of Object.keys(value))
    if (!keys.includes(key)) throw new TypeError(`${at}.${key}: unknown; there are ${keys.join(', ')}`)
}

function patternsAt(value: unknown, at: string): void {
  if (value === undefined) return
  if (
    !Array.isArray(value) ||
    value.length === 0 ||
    value.some(item => typeof item !== 'string' || item === '')
  )
    throw new TypeError(`${at}: expected a list of texts, none of them empty`)
}

/** Whose resource a URI is. */

import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import type { Catalog, Route } from './catalog.js'
import type { Member } from './member.js'
import { qualifiedUri, splitQualifiedUri } from './qualified-uri.js'
import { type UriPattern, uriPattern } from './uri-template.js'

/**
 * By the first rule that tells: the URI names its server, a server lists it, a template fits (the one that says most), only one
 * server has resources of its scheme, or only one has resources at all. Throws `RpcError` INVALID_PARAMS where none does.
 */
export function routeUri(
  uri: string,
  resources: Catalog,
  templates: Catalog,
  find: (server: string) => Member | undefined,
): Route {
  const qualified = splitQualifiedUri(uri)
  const named = qualified === undefined ? undefined : find(qualified[0])
  if (qualified !== undefined && named !== undefined) return { member: named, name: qualified[1] }
  const listed = resources.routes.get(uri)
  if (listed !== undefined) return listed
  const owner = resources.shared.get(uri) ?? fitting(uri, templates) ?? related(uri, resources, templates)
  if (owner === undefined) throw new RpcError(INVALID_PARAMS, `Resource not found: ${uri}`, { uri })
  if ('handler' in owner) return { member: owner, name: uri }
  throw new RpcError(INVALID_PARAMS, `Several servers have ${uri}: read ${owner.join(' or ')}`, { uri })
}

/** The owner of the template that fits best; several owners where their templates say the same. */
function fitting(uri: string, templates: Catalog): Member | readonly string[] | undefined {
  for (const strict of [true, false]) {
    let most = -1
    const best = new Set<Member>()
    for (const { member, name } of templates.listed) {
      const pattern = patternOf(name)
      if (pattern === undefined || pattern.literals < most || !pattern.matches(uri, strict)) continue
      if (pattern.literals > most) best.clear()
      most = pattern.literals
      best.add(member)
    }
    const [first] = best
    if (best.size > 1) return [...best].map(({ name }) => qualifiedUri(name, uri))
    if (first !== undefined) return first
  }
  return undefined
}

function related(uri: string, resources: Catalog, templates: Catalog): Member | undefined {
  const scheme = schemeOf(uri)
  const all = new Set<Member>()
  const akin = new Set<Member>()
  for (const { member, name } of [...resources.listed, ...templates.listed]) {
    all.add(member)
    if (schemeOf(name) === scheme) akin.add(member)
  }
  const candidates = akin.size > 0 ? akin : all
  const [only] = candidates
  return candidates.size === 1 ? only : undefined
}

function schemeOf(uri: string): string {
  return uri.slice(0, uri.indexOf(':') + 1).toLowerCase()
}

function patternOf(template: string): UriPattern | undefined {
  if (patterns.has(template)) return patterns.get(template)
  const pattern = uriPattern(template)
  if (patterns.size >= MAX_PATTERNS) patterns.clear()
  patterns.set(template, pattern)
  return pattern
}

const patterns = new Map<string, UriPattern | undefined>()
const MAX_PATTERNS = 10_000

/**
 * Finds tools by words: BM25 over what a tool is called, says it does, and takes. Names weigh more than descriptions, and half
 * a word finds a whole one. Deterministic: equal scores are in the order given.
 */

import type { JSONObject } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'

export interface ToolIndex<T> {
  /** The best first; only what has something of the query. */
  search(query: string, limit: number): readonly T[]
}

export interface Searchable {
  readonly server: string
  readonly exposed: string
  /** The tool as it is listed. */
  readonly entry: JSONObject
}

export function toolIndex<T extends Searchable>(tools: readonly T[]): ToolIndex<T> {
  const documents = tools.map(tool => documentOf(tool))
  const postings = new Map<string, { readonly document: number; readonly weight: number }[]>()
  for (const [document, { weights }] of documents.entries()) {
    for (const [term, weight] of weights) {
      const list = postings.get(term)
      if (list === undefined) postings.set(term, [{ document, weight }])
      else list.push({ document, weight })
    }
  }
  const terms = [...postings.keys()]
  const average = documents.reduce((sum, { length }) => sum + length, 0) / Math.max(1, documents.length)

  return {
    search(query, limit) {
      const scores = new Map<number, number>()
      const asked = termsOf(query).slice(0, MAX_QUERY_TERMS)
      for (const [term, factor] of expanded(asked, terms)) {
        const list = postings.get(term) as { document: number; weight: number }[]
        const rarity = Math.log(1 + (documents.length - list.length + 0.5) / (list.length + 0.5))
        for (const { document, weight } of list) {
          const length = (documents[document] as Document).length / average
          const gain = (weight * (K1 + 1)) / (weight + K1 * (1 - B + B * length))
          scores.set(document, (scores.get(document) ?? 0) + factor * rarity * gain)
        }
      }
      const exact = query.trim().toLowerCase()
      for (const [document, { exposed, entry }] of tools.entries())
        if (exposed.toLowerCase() === exact || String(entry.name).toLowerCase() === exact)
          scores.set(document, Number.POSITIVE_INFINITY)
      return [...scores]
        .sort(([one, first], [other, second]) => (first === second ? one - other : second > first ? 1 : -1))
        .slice(0, limit)
        .map(([document]) => tools[document] as T)
    },
  }
}

interface Document {
  readonly weights: ReadonlyMap<string, number>
  readonly length: number
}

const K1 = 1.2
const B = 0.5
const MAX_QUERY_TERMS = 32
const WEIGHTS = { name: 4, title: 3, server: 2, description: 1, parameter: 0.5 } as const
/** What a prefix of a term, or a word of the same stem, is worth beside the term. */
const PREFIX = 0.5
const SHORTEST_PREFIX = 3

function documentOf({ server, exposed, entry }: Searchable): Document {
  const weights = new Map<string, number>()
  let length = 0
  const add = (text: unknown, weight: number) => {
    if (typeof text !== 'string') return
    for (const term of termsOf(text.slice(0, MAX_TEXT))) {
      weights.set(term, (weights.get(term) ?? 0) + weight)
      length += weight
    }
  }
  add(exposed, WEIGHTS.name)
  add(entry.title, WEIGHTS.title)
  add(server, WEIGHTS.server)
  add(entry.description, WEIGHTS.description)
  const properties = isObject(entry.inputSchema) ? entry.inputSchema.properties : undefined
  for (const [name, property] of Object.entries(isObject(properties) ? properties : {})) {
    add(name, WEIGHTS.parameter)
    if (isObject(property)) add(property.description, WEIGHTS.parameter)
  }
  return { weights, length }
}

const MAX_TEXT = 4_000

/** The words of a text, of `camelCase` and `snake_case` too, without the commonest and without endings. */
function termsOf(text: string): readonly string[] {
  const words = text
    .normalize('NFKD')
    .replace(/\p{Mark}+/gu, '')
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
  return (words ?? []).filter(word => !STOP_WORDS.has(word)).map(stemOf)
}

/** English endings that make no other word of a tool's name: "files", "searching", "created". */
function stemOf(word: string): string {
  if (word.length < 5) return word.length === 4 && /[^s]s$/.test(word) ? word.slice(0, -1) : word
  return word
    .replace(/ies$/, 'y')
    .replace(/(?<=[sxz]|ch|sh)es$/, '')
    .replace(/(?<=[^s])s$/, '')
    .replace(/(?<=.{3})(?:ing|ed)$/, '')
    .replace(/(?<=.{3})e$/, '')
}

/** The terms that stand for what was asked, each with what a match is worth. */
function expanded(asked: readonly string[], terms: readonly string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const word of asked) {
    for (const term of terms) {
      const factor = term === word ? 1 : isPart(word, term) ? PREFIX * (word.length / term.length) : 0
      if (factor > (found.get(term) ?? 0)) found.set(term, factor)
    }
  }
  return found
}

function isPart(word: string, term: string): boolean {
  return word.length >= SHORTEST_PREFIX && term.startsWith(word)
}

const STOP_WORDS = new Set(
  'a an and any are as at be by can for from i if in into is it its me my of on or our that the this to use using want was we what which with you your'.split(
    ' ',
  ),
)

/**
 * Text of a configuration that may refer to values which are not written down: variables, inputs, files. The canonical form of
 * what clients write as `${VAR}`, `${env:VAR}`, `{env:VAR}`, `$VAR` and so on.
 */

/** Where something stands in a file. Lines and columns count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

export type Reference =
  /** A variable of the environment; `fallback` where it is unset or empty. */
  | { readonly kind: 'env'; readonly name: string; readonly fallback?: string; readonly at?: Place }
  /** A value that a person is asked for. */
  | { readonly kind: 'input'; readonly id: string; readonly at?: Place }
  /** What a file holds, without a line break at its end. */
  | { readonly kind: 'file'; readonly path: string; readonly at?: Place }
  /** Who calls: a claim about him, or the principal where none is named. It has no value before somebody does. */
  | { readonly kind: 'caller'; readonly claim?: string; readonly at?: Place }
  /** The project's folder, the user's home folder, the character between folders. */
  | { readonly kind: 'folder'; readonly folder: 'project' | 'home'; readonly at?: Place }
  /** What only one client can replace; it is kept, and cannot be resolved. */
  | { readonly kind: 'foreign'; readonly text: string; readonly client: string; readonly at?: Place }

/** Parts in order: no two strings beside each other, none of them empty. No part at all is the empty text. */
export type Template = readonly (string | Reference)[]

export function literal(text: string): Template {
  return text === '' ? [] : [text]
}

/** The text of a template without references; undefined where it has one. */
export function literalText(template: Template): string | undefined {
  if (template.length === 0) return ''
  const [part, ...more] = template
  return more.length === 0 && typeof part === 'string' ? part : undefined
}

export function hasReference(template: Template): boolean {
  return template.some(part => typeof part !== 'string')
}

/** The variable that a template is, and nothing else. */
export function onlyVariable(template: Template): { readonly name: string } | undefined {
  const [part] = template
  if (template.length !== 1 || typeof part !== 'object') return undefined
  return part.kind === 'env' && part.fallback === undefined ? part : undefined
}

/** Joins neighbouring strings and drops empty ones. */
export function toTemplate(parts: readonly (string | Reference)[]): Template {
  const joined: (string | Reference)[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (typeof part !== 'string') joined.push(part)
    else if (typeof last === 'string') joined[joined.length - 1] = last + part
    else if (part !== '') joined.push(part)
  }
  return joined
}

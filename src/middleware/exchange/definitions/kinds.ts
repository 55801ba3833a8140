/** What a server defines: what models and people read of it before they use it. */

import type { TargetKind } from '../target-of.js'

/** `instructions` are the server's own text about itself. */
export type DefinitionKind = 'tools' | 'prompts' | 'resources' | 'templates' | 'instructions'

/** Those that come in lists. */
export type ListedKind = Exclude<DefinitionKind, 'instructions'>

export interface ListOfKind {
  readonly method: string
  /** The field of the result that holds the list. */
  readonly field: string
  /** The member that tells one from the others. */
  readonly key: 'name' | 'uri' | 'uriTemplate'
  readonly changed: string
}

const RESOURCES_CHANGED = 'notifications/resources/list_changed'

export const LISTS: Readonly<Record<ListedKind, ListOfKind>> = {
  tools: {
    method: 'tools/list',
    field: 'tools',
    key: 'name',
    changed: 'notifications/tools/list_changed',
  },
  prompts: {
    method: 'prompts/list',
    field: 'prompts',
    key: 'name',
    changed: 'notifications/prompts/list_changed',
  },
  resources: { method: 'resources/list', field: 'resources', key: 'uri', changed: RESOURCES_CHANGED },
  templates: {
    method: 'resources/templates/list',
    field: 'resourceTemplates',
    key: 'uriTemplate',
    changed: RESOURCES_CHANGED,
  },
}

export const LISTED_KINDS = Object.keys(LISTS) as readonly ListedKind[]

export const DEFINITION_KINDS: readonly DefinitionKind[] = ['instructions', ...LISTED_KINDS]

const BY_METHOD = new Map(LISTED_KINDS.map(kind => [LISTS[kind].method, kind]))

/** Whose list a method asks for. */
export function kindOfList(method: string): ListedKind | undefined {
  return BY_METHOD.get(method)
}

/** As messages name one of them. */
export const SINGULAR: Readonly<Record<DefinitionKind | TargetKind, string>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  templates: 'resource template',
  instructions: 'instructions',
}

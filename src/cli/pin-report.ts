/** What `anyport pin` found, for people. */

import type { Flag, FlagReason } from '../middleware/exchange/definitions/flags.js'
import { type DefinitionKind, SINGULAR } from '../middleware/exchange/definitions/kinds.js'
import type { PinChange, PinComparison } from '../node/compare-pins.js'

export function reportOf(server: string, { isNew, changes, counts }: PinComparison): string {
  const found = Object.entries(counts) as [DefinitionKind, number][]
  const words = found.map(([kind, number]) =>
    kind === 'instructions'
      ? `${number === 0 ? 'no ' : ''}instructions`
      : `${number} ${SINGULAR[kind]}${number === 1 ? '' : 's'}`,
  )
  const verdict = isNew ? 'new' : changes.length === 0 ? 'as it was accepted' : 'not as it was accepted'
  return [`${shown(server)}: ${words.join(', ')}; ${verdict}`, ...changes.flatMap(linesOf)].join('\n')
}

const SIGNS = { added: '+', changed: '~', removed: '-', flagged: '!', duplicate: '!' } as const
const WORDS = {
  added: 'is new',
  changed: 'has changed',
  removed: 'is not there any more',
  flagged: 'is flagged',
  duplicate: 'is there more than once',
} as const
/** Members that are shown of one definition. */
const MAX_SHOWN = 20

function linesOf({ what, kind, name, differences, flags }: PinChange): string[] {
  const subject = kind === 'instructions' ? 'the instructions' : `${SINGULAR[kind]} ${shown(name)}`
  const verb =
    kind === 'instructions' ? WORDS[what].replace(/^is /, 'are ').replace(/^has /, 'have ') : WORDS[what]
  const members = differences.slice(0, MAX_SHOWN).map(({ path, before, after }) => {
    if (before === undefined) return `      ${shown(path)}: is new, ${excerptOf(after)}`
    if (after === undefined) return `      ${shown(path)}: is gone, was ${excerptOf(before)}`
    return `      ${shown(path)}: ${excerptOf(before)} -> ${excerptOf(after)}`
  })
  if (differences.length > MAX_SHOWN) members.push(`      and ${differences.length - MAX_SHOWN} more`)
  return [
    `  ${SIGNS[what]} ${subject} ${verb}`,
    ...members,
    ...flags.map(flag => `      ! ${flagText(flag)}`),
  ]
}

const FLAGS: Readonly<Record<FlagReason, string>> = {
  invisible: 'has characters that nobody sees',
  bidirectional: 'has characters that show text in another order',
  control: 'has control characters',
  'addresses-model': 'speaks to the model',
  'too-long': 'is too long to be looked at',
}

/** One line, without the name of the definition. */
export function flagText({ reason, path, found }: Flag): string {
  return `${shown(path)} ${FLAGS[reason]}: ${shown(found)}`
}

function excerptOf(value: unknown): string {
  const text = shown(JSON.stringify(value) ?? '')
  return text.length > 160 ? `${text.slice(0, 160)}…` : text
}

/** With what nobody would see, or what would play tricks on a terminal, written out. */
function shown(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S}\p{M} ]|\p{Default_Ignorable_Code_Point}/gu, character => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
}

/** Texts of definitions that are not what they seem to be, or that talk to the model rather than describe something. */

import type { JSONObject } from '../../../protocol/message.js'

export type FlagReason =
  /** Characters that nobody sees, and models read. */
  | 'invisible'
  /** Characters that show a text in another order than it has. */
  | 'bidirectional'
  /** Control characters, which terminals obey. */
  | 'control'
  /** It tells the model what to do. */
  | 'addresses-model'
  /** More text than is looked at. */
  | 'too-long'

export interface Flag {
  readonly reason: FlagReason
  /** `inputSchema.properties.path.description`. */
  readonly path: string
  /** What it is, in words: the code points, or the text that was found. */
  readonly found: string
}

/** Characters of a definition that are looked at, and flags that are told of it. */
const MAX_TEXT = 200_000
const MAX_FLAGS = 20

/** Characters that are looked at of one list: one that is made for it takes a second. */
const MAX_LIST = 2_000_000

/** How many characters may still be looked at. */
export interface LookingLimit {
  left: number
}

export function limitOfList(): LookingLimit {
  return { left: MAX_LIST }
}

/** What is odd about a definition: its names, titles, descriptions, and all texts of its schemas. */
export function flagsOf(definition: JSONObject): readonly Flag[] {
  return flagsWithin(definition, limitOfList())
}

/** The same for one of a list. */
export function flagsWithin(definition: JSONObject, limit: LookingLimit): readonly Flag[] {
  const flags: Flag[] = []
  const most = Math.min(MAX_TEXT, Math.max(0, limit.left))
  let left = most
  const walk = (value: unknown, path: string): void => {
    if (flags.length >= MAX_FLAGS || left < 0) return
    if (typeof value === 'string') look(value, path, false)
    else if (Array.isArray(value))
      for (const [index, item] of value.entries()) walk(item, `${path}[${index}]`)
    else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) {
        const inner = /^[\w$-]+$/.test(key) ? key : JSON.stringify(key)
        const place = path === '' ? inner : `${path}.${inner}`
        // Pictures are no text.
        if (path === '' && key === 'icons') continue
        look(key, place, true)
        walk(item, place)
      }
  }
  const look = (text: string, path: string, isName: boolean): void => {
    if (left < 0) return
    left -= text.length
    if (left < 0) {
      const found = most < MAX_TEXT ? 'the list has too many characters' : `more than ${MAX_TEXT} characters`
      flags.push({ reason: 'too-long', path, found })
      return
    }
    for (const [reason, found] of [...oddCharacters(text), ...addressing(text, isName)])
      if (flags.length < MAX_FLAGS) flags.push({ reason, path, found })
  }
  walk(definition, '')
  limit.left -= most - left
  return flags
}

type Found = readonly [FlagReason, string]

/** Nothing below may be wrong with a text of these: most are. */
const ODD =
  /[^\t\n\r\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0590\u2010-\u2027\u2030-\u205e\u2190-\u23ff]/

function oddCharacters(text: string): readonly Found[] {
  if (!ODD.test(text)) return []
  const plain = text.replace(SUBDIVISION_FLAG, '')
  const found: Found[] = []
  const report = (reason: FlagReason, matches: readonly string[] | null) => {
    if (matches === null) return
    const points = [...new Set(matches.flatMap(match => [...match]))].slice(0, 5).map(codePoint)
    const count = matches.reduce((sum, match) => sum + [...match].length, 0)
    found.push([reason, `${count} x ${points.join(' ')}`])
  }
  report('invisible', plain.match(INVISIBLE))
  report('bidirectional', plain.match(RIGHT_TO_LEFT.test(plain) ? OVERRIDES : OVERRIDES_AND_MARKS))
  report('control', plain.match(CONTROL))
  return found
}

/** Flags of England and the like are the one use of tags that people see. */
const SUBDIVISION_FLAG = /\u{1f3f4}[\u{e0061}-\u{e007a}\u{e0030}-\u{e0039}]{3,6}\u{e007f}/gu

/**
 * Joiners within emoji and within scripts that join letters, and variation selectors after what has variants, are what they are
 * there for; anywhere else, or many in a row, they carry something.
 */
const JOINING =
  '\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f\\p{M}\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Mongolian}\\p{Script=Devanagari}\\p{Script=Bengali}\\p{Script=Gujarati}\\p{Script=Gurmukhi}\\p{Script=Kannada}\\p{Script=Malayalam}\\p{Script=Oriya}\\p{Script=Sinhala}\\p{Script=Tamil}\\p{Script=Telugu}\\p{Script=Khmer}'
const VARYING =
  '\\p{Extended_Pictographic}\\p{S}\\p{P}0-9\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Mongolian}\\p{Script=Myanmar}\\p{Script=Phags_Pa}\\p{Script=Khitan_Small_Script}'
const SELECTORS = '\\ufe00-\\ufe0f\\u{e0100}-\\u{e01ef}'
const INVISIBLE = new RegExp(
  [
    '[\\u{e0000}-\\u{e007f}]+',
    '[\\u00ad\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b\\u2060-\\u2064\\u206a-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb\\u{1d173}-\\u{1d17a}]+',
    `(?<![${JOINING}])[\\u200c\\u200d]+`,
    '[\\u200c\\u200d]{2,}',
    `[${SELECTORS}]{2,}`,
    `(?<![${VARYING}${SELECTORS}])[${SELECTORS}]`,
  ].join('|'),
  'gu',
)
const OVERRIDES = /[\u202a-\u202e\u2066-\u2069]+/gu
/** Where nothing is written from right to left, marks have nothing to mark. */
const OVERRIDES_AND_MARKS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]+/gu
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]+/gu

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}

/**
 * What descriptions of honest servers do not say. Each looks a bounded way ahead, so that a long text takes as long as it is; none
 * is about words that a tool may be about, such as passwords, alone.
 */
const ADDRESSING: readonly RegExp[] = [
  /\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,30}\b(?:previous|prior|above|earlier|preceding|existing|other|all|your|system)\b[^.]{0,20}\b(?:instructions?|prompts?|rules|guidelines|directives?)\b/,
  /\b(?:do not|don't|never|must not|should not|shouldn't|without|avoid)\b[^.]{0,20}\b(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|disclosing)\b[^.]{0,40}\b(?:user|human|operator|anyone|anybody)\b(?!'s)/,
  /\b(?:hide|conceal|keep)\b[^.]{0,30}\b(?:from the (?:user|human)|secret from)\b/,
  /\bwithout (?:the )?(?:user|human)(?:'s)? (?:knowledge|knowing|noticing|awareness)\b/,
  /<\/?(?:important|critical|hidden|attention)>|<\/(?:system|secret|instructions?|system-?prompt|assistant)>|\[\/?inst\]|<\|(?:im_start|im_end|system|endoftext)\|>/,
  /\b(?:before|after|prior to) (?:using|calling|invoking|running|executing|you use|you call) (?:any|all|every|each)(?: of the)?(?: other)? tools?\b/,
  /\beven (?:if|when) the (?:user|human) (?:asks|says|tells|requests|wants|insists|objects)\b/,
  /\b(?:you are|you're) now (?:a|an|in|the|acting)\b|\bnew (?:system )?instructions?:|\byour (?:new|real|true) (?:instructions?|task|goal|objective) (?:is|are)\b/,
  /\b(?:read|open|cat|access|fetch|get|load|include|pass|send|content|contents|upload|reading)\b[^.]{0,60}(?:\.ssh\b|\bid[_ ](?:rsa|ed25519|ecdsa)\b|\.aws\/credentials|\/etc\/(?:passwd|shadow)\b|\.(?:cursor|vscode|claude)\/[\w-]*\.?mcp\.json|\bclaude_desktop_config\b|\.gnupg\b|\.netrc\b|\.kube\/config)/,
  /\b(?:send|forward|post|upload|transmit|copy|exfiltrate|leak|bcc|email)\b[^.]{0,80}\b(?:conversation|chat history|messages|api keys?|credentials?|passwords?|secrets?|access tokens?|private keys?|environment variables?|file contents?|system prompt)\b[^.]{0,80}\b(?:to|at|via)\b[^.]{0,20}(?:https?:\/\/|[\w+-]{1,64}@[\w-]{1,64}|\+\d{5})/,
  /\b(?:reveal|repeat|print|output|include|pass|return|append|provide|copy)\b[^.]{0,40}\b(?:your|the|entire|full|whole) (?:system prompt|system message|conversation history|chat history|(?:previous|entire|full|whole) conversation|previous messages)\b/,
]

function addressing(text: string, isName: boolean): readonly Found[] {
  if (text.length < 8) return []
  const words = (isName ? text.replace(/[_-]+/g, ' ') : text)
    .normalize('NFKC')
    .replace(HIDDEN, '')
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/\s+/g, ' ')
    .toLowerCase()
  for (const pattern of ADDRESSING) {
    const match = pattern.exec(words)
    if (match !== null) return [['addresses-model', match[0].slice(0, 120)]]
  }
  return []
}

/** What could stand within a word and hide it. */
const HIDDEN =
  /\u034f|[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]|[\ufe00-\ufe0f]|[\u{e0000}-\u{e01ef}]/gu

/** Text of somebody else, for a person's eyes. */

/** Controls but for tab and line feed, and what turns the direction of text, or hides in it. */
const INVISIBLE = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * The same text, with the number of each character that cannot be seen, or makes one see something else, in its place.
 * @param {string} text
 */
export function printable(text) {
  return text.replace(INVISIBLE, character => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

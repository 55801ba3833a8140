/** The text of a `blob` result: 64-byte records, each with its own offset, so that a lost or moved piece shows. */

const RECORD = 64
const made = new Map()

/** Exactly `bytes` ASCII bytes, made once per size. Every record ends in a newline, which JSON has to escape. */
export function blobText(bytes) {
  let text = made.get(bytes)
  if (text === undefined) {
    const records = new Array(Math.ceil(bytes / RECORD))
    for (let index = 0; index < records.length; index++) {
      records[index] =
        `${String(index * RECORD).padStart(12, '0')} ${'abcdefghijklmnopqrstuvwxyz "quotes" <tags> & more text'.slice(0, 50)}\n`
    }
    text = records.join('').slice(0, bytes)
    made.set(bytes, text)
  }
  return text
}

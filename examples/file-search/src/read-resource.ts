/** Whole files, for clients that follow the links in results. */

import { pieces } from './byte-source.js'
import { decoded, isBinary, markOf } from './encodings.js'
import { openFile } from './open-inside.js'
import { uriOf } from './paths.js'
import { Refusal } from './refusal.js'
import type { Call } from './server.js'

/** Bytes; whoever wants a part of a larger file has `read_lines`. */
const MAX_SIZE = 1024 * 1024

export async function readResource(asked: URL, { folders, context }: Call) {
  await using file = await openFile(folders, asked.href)
  const { size } = file.stats
  if (size > MAX_SIZE)
    throw new Refusal(`The file has ${size} bytes, more than ${MAX_SIZE}: read parts of it with read_lines.`)
  const whole = [{ offset: 0, length: MAX_SIZE + 1 }]
  const [bytes = Buffer.alloc(0)] = await pieces(file.handle, undefined, whole, context.mcpReq.signal)
  if (bytes.length > MAX_SIZE) throw new Refusal('The file has grown too long.')
  const uri = uriOf(file.path)
  if (isBinary(bytes))
    return { contents: [{ uri, mimeType: 'application/octet-stream', blob: bytes.toString('base64') }] }
  const mark = markOf(bytes)
  const text = mark === undefined ? decoded(bytes).text : new TextDecoder(mark.encoding).decode(bytes)
  return { contents: [{ uri, mimeType: 'text/plain', text }] }
}

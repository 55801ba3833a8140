/** `.env` files: one `KEY=VALUE` per line, as most tools read them. No value is ever part of an error. */

import { readFileSync } from 'node:fs'

/** Throws `TypeError` that names the file and, for a line it cannot read, the line. */
export function readEnvFile(path: string): Record<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why =
      code === 'ENOENT' ? 'it does not exist' : code === 'EACCES' ? 'no permission' : (code ?? String(error))
    throw new TypeError(`Cannot read the environment file ${path}: ${why}`)
  }
  return parseEnvFile(text, path)
}

/**
 * Understands comments, `export`, single quotes (literal), double quotes (with `\n`, `\r`, `\t`, `\"`, `\\`; may span
 * lines) and bare values (a ` #` begins a comment). Variables inside values are not expanded.
 */
export function parseEnvFile(text: string, path: string): Record<string, string> {
  const values: Record<string, string> = {}
  const source = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
  let offset = 0
  let line = 1
  const fail = (why: string) => new TypeError(`${path}:${line}: ${why}`)

  while (offset < source.length) {
    const end = lineEnd(source, offset)
    const content = source.slice(offset, end)
    if (/^\s*(#|$)/.test(content)) {
      offset = end + 1
      line++
      continue
    }
    const head = /^\s*(?:export\s+)?([^\s=]+)[ \t]*=[ \t]*/.exec(content)
    const name = head?.[1]
    if (head === null || name === undefined) throw fail('expected KEY=VALUE')
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
      throw fail(`${JSON.stringify(name)} is no name of a variable`)
    const start = offset + head[0].length
    const quote = source[start]
    let after: number
    if (quote === '"' || quote === "'" || quote === '`') {
      const close = closingQuote(source, start, quote)
      if (close < 0) throw fail(`the value of ${name} has no closing ${quote}`)
      const raw = source.slice(start + 1, close)
      values[name] = quote === '"' ? unescaped(raw) : raw
      after = lineEnd(source, close)
      if (!/^\s*(#|$)/.test(source.slice(close + 1, after)))
        throw fail(`unexpected text after the value of ${name}`)
    } else {
      values[name] = source
        .slice(start, end)
        .replace(/(^|\s)#.*$/, '')
        .trim()
      after = end
    }
    for (let index = offset; index < after; index++) if (source[index] === '\n') line++
    offset = after + 1
    line++
  }
  return values
}

function lineEnd(source: string, from: number): number {
  const end = source.indexOf('\n', from)
  return end < 0 ? source.length : end
}

function closingQuote(source: string, start: number, quote: string): number {
  for (let index = start + 1; index < source.length; index++) {
    if (quote === '"' && source[index] === '\\') index++
    else if (source[index] === quote) return index
  }
  return -1
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

function unescaped(raw: string): string {
  return raw.replace(/\\([nrt"\\$`])/g, (_, character: string) => ESCAPES[character] ?? character)
}

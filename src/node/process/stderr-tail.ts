/** What a child says on stderr: always read (an unread pipe stops the child), split into lines, the last ones kept. */

const MAX_LINES = 64
const MAX_CHARACTERS = 16 * 1024
const MAX_LINE = 4 * 1024

export interface StderrTail {
  push(text: string): void
  /** Ends the last line, where it has no line feed. */
  end(): void
  /** The last lines, at most 64 and 16 KiB in all. */
  lines(): readonly string[]
}

export function stderrTail(onLine: (line: string) => void = () => {}): StderrTail {
  const kept: string[] = []
  let characters = 0
  let partial = ''
  let skipping = false

  const add = (raw: string) => {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    kept.push(line)
    characters += line.length
    while (kept.length > MAX_LINES || characters > MAX_CHARACTERS) characters -= kept.shift()?.length ?? 0
    onLine(line)
  }

  return {
    push(text) {
      let start = 0
      for (;;) {
        const end = text.indexOf('\n', start)
        if (end < 0) break
        if (skipping) skipping = false
        else add((partial + text.slice(start, end)).slice(0, MAX_LINE))
        partial = ''
        start = end + 1
      }
      if (skipping) return
      partial += text.slice(start)
      if (partial.length > MAX_LINE) {
        add(`${partial.slice(0, MAX_LINE)} ...`)
        partial = ''
        skipping = true
      }
    },
    end() {
      if (partial !== '') add(partial)
      partial = ''
    },
    lines: () => kept,
  }
}

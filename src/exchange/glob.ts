/** In time of at most the product of both lengths, whatever the pattern: `*` stands for any characters, `?` for one. */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let index = 0
  while (index < text.length) {
    if (at < pattern.length && pattern[at] === '*') {
      star = at++
      resume = index
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[index])) {
      at++
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** Whether any of the patterns fits. Most hold no sign at all, or one star at their end, and are compared as what they are. */
export function globTest(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns.filter(pattern => !/[*?]/.test(pattern)))
  const starts = patterns.filter(pattern => /^[^*?]*\*$/.test(pattern)).map(pattern => pattern.slice(0, -1))
  const others = patterns.filter(pattern => /[*?]/.test(pattern) && !/^[^*?]*\*$/.test(pattern))
  return text => {
    if (exact.has(text)) return true
    for (let index = 0; index < starts.length; index++)
      if (text.startsWith(starts[index] as string)) return true
    for (let index = 0; index < others.length; index++)
      if (matchesGlob(others[index] as string, text)) return true
    return false
  }
}

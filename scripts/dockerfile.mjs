/** A Dockerfile as instructions: as much of its grammar as ours uses. */

/** Each with its words as one line; comments are left out. */
export function instructionsOf(text) {
  const lines = text.split('\n').filter(line => !/^\s*#/.test(line))
  const whole = lines.join('\n').replace(/\\\n/g, ' ')
  return whole
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .map(line => {
      const [, instruction, value] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
      if (instruction === undefined) throw new TypeError(`no instruction: ${line}`)
      return { instruction, value: value.replace(/\s+/g, ' ') }
    })
}

/** From one FROM to the next. */
export function stagesOf(text) {
  const stages = []
  for (const each of instructionsOf(text)) {
    if (each.instruction === 'FROM') stages.push([])
    stages.at(-1).push(each)
  }
  return stages
}

export function finalStage(text) {
  return stagesOf(text).at(-1)
}

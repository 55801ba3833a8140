/**
 * Regular expressions in time that grows with pattern times text, whatever the two are: all ways through a pattern are
 * followed at once (Thompson, "Regular Expression Search Algorithm", 1968), so that nothing is ever tried again. The
 * expressions are those of ECMA-262 without what cannot be followed like that: looking around, and back.
 */

import type { Fuel } from './fuel.js'

export type PatternTest = (text: string, fuel: Fuel) => boolean

/** Finds the pattern anywhere in a text; undefined for one that cannot be followed, or is none. */
export function linearPattern(pattern: string): PatternTest | undefined {
  const flags = flagsFor(pattern)
  if (pattern.length > MAX_PATTERN || flags === undefined) return undefined
  let program: readonly Instruction[]
  try {
    program = assemble(new Parser(pattern, flags).parse())
  } catch (error) {
    if (error instanceof NotFollowed) return undefined
    throw error
  }
  return (text, fuel) => matches(program, text, fuel)
}

const MAX_PATTERN = 2_000
const MAX_PROGRAM = 5_000
const MAX_NESTING = 50

class NotFollowed extends Error {}

type CharacterTest = (character: string) => boolean

type Node =
  | { readonly is: 'character'; readonly test: CharacterTest }
  | { readonly is: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly is: 'sequence' | 'choice'; readonly of: readonly Node[] }
  | { readonly is: 'repeat'; readonly of: Node; readonly least: number; readonly most: number }

type Instruction =
  | { readonly is: 'character'; readonly test: CharacterTest }
  | { readonly is: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly is: 'split'; readonly to: number; readonly or: number }
  | { readonly is: 'jump'; readonly to: number }
  | { readonly is: 'match' }

/** JSON Schema asks for `u`; many patterns in the wild are only good without it. */
function flagsFor(pattern: string): 'u' | '' | undefined {
  for (const flags of ['u', ''] as const) {
    try {
      new RegExp(pattern, flags)
      return flags
    } catch {
      // The other one, or none.
    }
  }
  return undefined
}

class Parser {
  readonly #characters: readonly string[]
  readonly #flags: 'u' | ''
  #at = 0
  #depth = 0

  constructor(pattern: string, flags: 'u' | '') {
    this.#characters = flags === 'u' ? [...pattern] : pattern.split('')
    this.#flags = flags
  }

  parse(): Node {
    const node = this.#choice()
    if (this.#at < this.#characters.length) throw new NotFollowed()
    return node
  }

  #choice(): Node {
    if (++this.#depth > MAX_NESTING) throw new NotFollowed()
    const of = [this.#sequence()]
    while (this.#take('|')) of.push(this.#sequence())
    this.#depth--
    return of.length === 1 ? (of[0] as Node) : { is: 'choice', of }
  }

  #sequence(): Node {
    const of: Node[] = []
    for (;;) {
      const next = this.#peek()
      if (next === undefined || next === '|' || next === ')') return { is: 'sequence', of }
      of.push(this.#quantified(this.#atom()))
    }
  }

  #quantified(node: Node): Node {
    const bounds = this.#bounds()
    if (bounds === undefined) return node
    // How eager it is makes no difference to whether it matches.
    this.#take('?')
    return { is: 'repeat', of: node, ...bounds }
  }

  #bounds(): { readonly least: number; readonly most: number } | undefined {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { least: 0, most: 1 }
    if (this.#peek() !== '{') return undefined
    const rest = this.#characters.slice(this.#at, this.#at + 24).join('')
    const [whole, least, comma, most] = /^\{(\d+)(,?)(\d*)\}/.exec(rest) ?? []
    // Without `u`, a brace that bounds nothing is a brace.
    if (whole === undefined || least === undefined) return undefined
    this.#at += whole.length
    if (comma === '') return { least: Number(least), most: Number(least) }
    return { least: Number(least), most: most === '' ? Number.POSITIVE_INFINITY : Number(most) }
  }

  #atom(): Node {
    const character = this.#characters[this.#at++] as string
    switch (character) {
      case '^':
        return { is: 'start' }
      case '$':
        return { is: 'end' }
      case '.':
        return { is: 'character', test: this.#byEngine('.') }
      case '(':
        return this.#group()
      case '[':
        return { is: 'character', test: this.#byEngine(this.#characterClass()) }
      case '\\':
        return this.#escape()
      default:
        return { is: 'character', test: other => other === character }
    }
  }

  #group(): Node {
    if (this.#take('?')) {
      if (!this.#take(':')) {
        // A name; anything else looks around or changes flags.
        const rest = this.#characters.slice(this.#at, this.#at + 200).join('')
        const name = /^<[\w$]+>/.exec(rest)?.[0]
        if (name === undefined) throw new NotFollowed()
        this.#at += name.length
      }
    }
    const node = this.#choice()
    if (!this.#take(')')) throw new NotFollowed()
    return node
  }

  #characterClass(): string {
    const start = this.#at - 1
    for (;;) {
      const character = this.#characters[this.#at++]
      if (character === undefined) throw new NotFollowed()
      if (character === '\\') this.#at++
      else if (character === ']') return this.#characters.slice(start, this.#at).join('')
    }
  }

  #escape(): Node {
    const character = this.#characters[this.#at++]
    if (character === undefined) throw new NotFollowed()
    if (character === 'b') return { is: 'boundary' }
    if (character === 'B') return { is: 'inside' }
    // What was matched before would have to be known.
    if (/[1-9k]/.test(character)) throw new NotFollowed()
    const rest = this.#characters.slice(this.#at, this.#at + 40).join('')
    const more =
      character === 'x'
        ? /^[\da-fA-F]{2}/.exec(rest)
        : character === 'u'
          ? (/^\{[\da-fA-F]+\}/.exec(this.#flags === 'u' ? rest : '') ?? /^[\da-fA-F]{4}/.exec(rest))
          : character === 'p' || character === 'P'
            ? /^\{[\w=]+\}/.exec(this.#flags === 'u' ? rest : '')
            : character === 'c'
              ? /^[A-Za-z]/.exec(rest)
              : null
    const tail = more?.[0] ?? ''
    // A half of a pair would be joined with the other half.
    if (character === 'u' && /^[dD][89a-fA-F]/.test(tail)) throw new NotFollowed()
    this.#at += tail.length
    return { is: 'character', test: this.#byEngine(`\\${character}${tail}`) }
  }

  /** One character is what the engine can be asked about at no risk. */
  #byEngine(source: string): CharacterTest {
    const expression = new RegExp(`^(?:${source})$`, this.#flags)
    const known = new Map<string, boolean>()
    return character => {
      let answer = known.get(character)
      if (answer === undefined) {
        answer = expression.test(character)
        if (known.size < 256) known.set(character, answer)
      }
      return answer
    }
  }

  #peek(): string | undefined {
    return this.#characters[this.#at]
  }

  #take(character: string): boolean {
    if (this.#characters[this.#at] !== character) return false
    this.#at++
    return true
  }
}

function assemble(node: Node): readonly Instruction[] {
  const program: Instruction[] = []
  const add = (instruction: Instruction): number => {
    if (program.length >= MAX_PROGRAM) throw new NotFollowed()
    return program.push(instruction) - 1
  }
  const emit = (part: Node): void => {
    switch (part.is) {
      case 'sequence':
        for (const inner of part.of) emit(inner)
        break
      case 'choice': {
        const ends: number[] = []
        for (const [index, inner] of part.of.entries()) {
          const last = index === part.of.length - 1
          const split = last ? -1 : add({ is: 'split', to: program.length + 1, or: -1 })
          emit(inner)
          if (last) break
          ends.push(add({ is: 'jump', to: -1 }))
          program[split] = { is: 'split', to: split + 1, or: program.length }
        }
        for (const end of ends) program[end] = { is: 'jump', to: program.length }
        break
      }
      case 'repeat': {
        const { of, least, most } = part
        // Counted by copies: what is counted into the thousands is not followed.
        if (least > MAX_PROGRAM || (most !== Number.POSITIVE_INFINITY && most > MAX_PROGRAM))
          throw new NotFollowed()
        for (let count = 0; count < least; count++) emit(of)
        if (most === Number.POSITIVE_INFINITY) {
          const split = add({ is: 'split', to: program.length + 1, or: -1 })
          emit(of)
          add({ is: 'jump', to: split })
          program[split] = { is: 'split', to: split + 1, or: program.length }
          break
        }
        const splits: number[] = []
        for (let count = least; count < most; count++) {
          splits.push(add({ is: 'split', to: program.length + 1, or: -1 }))
          emit(of)
        }
        for (const split of splits) program[split] = { is: 'split', to: split + 1, or: program.length }
        break
      }
      default:
        add(part)
    }
  }
  emit(node)
  add({ is: 'match' })
  return program
}

function matches(program: readonly Instruction[], text: string, fuel: Fuel): boolean {
  const characters = [...text]
  fuel.burn(characters.length + program.length)
  /** The step in which an instruction was reached last: each is followed once per step. */
  const reached = new Int32Array(program.length).fill(-1)
  let current: number[] = []
  const pending: number[] = []
  for (let at = 0; at <= characters.length; at++) {
    // It may begin anywhere.
    pending.push(0, ...current.splice(0))
    const next: number[] = []
    while (pending.length > 0) {
      const place = pending.pop() as number
      if (reached[place] === at) continue
      reached[place] = at
      fuel.burn()
      const instruction = program[place] as Instruction
      switch (instruction.is) {
        case 'match':
          return true
        case 'jump':
          pending.push(instruction.to)
          break
        case 'split':
          pending.push(instruction.or, instruction.to)
          break
        case 'character':
          if (at < characters.length && instruction.test(characters[at] as string)) next.push(place + 1)
          break
        default:
          if (holds(instruction.is, characters, at)) pending.push(place + 1)
      }
    }
    current = next
  }
  return false
}

function holds(
  is: 'start' | 'end' | 'boundary' | 'inside',
  characters: readonly string[],
  at: number,
): boolean {
  if (is === 'start') return at === 0
  if (is === 'end') return at === characters.length
  const isBoundary = isWord(characters[at - 1]) !== isWord(characters[at])
  return isBoundary === (is === 'boundary')
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /^\w$/.test(character)
}

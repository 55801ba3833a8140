/** Runs targets, and makes what it finds small. */

import { Random } from './random.js'
import type { Input, Target } from './target.js'

export interface Finding {
  readonly target: string
  readonly index: number
  readonly input: Input
  readonly error: Error
}

export interface RunOptions {
  readonly seed: number
  /** Of all targets together. */
  readonly count: number
  /** The number of the first input. Default 0. */
  readonly first?: number | undefined
  /** Milliseconds since 1970 at which to stop. Default: never. */
  readonly until?: number | undefined
  /** Findings of one target after which it is left alone. Default 3. */
  readonly maxFindings?: number | undefined
  /** How many times as long as its limit an input may take, on machines that do much besides. Default 1. */
  readonly patience?: number | undefined
  /** Hears of each input before it is checked, so that what never ends can be found. */
  readonly onInput?: ((target: string, index: number) => void) | undefined
  readonly onTarget?: ((result: TargetResult) => void) | undefined
  /** Collects garbage; without it, growth is not measured. */
  readonly collect?: (() => void) | undefined
}

export interface TargetResult {
  readonly target: string
  readonly inputs: number
  readonly milliseconds: number
  /** Bytes of the heap that came during the later part of the run, and stayed. */
  readonly growth: number | undefined
  readonly findings: readonly Finding[]
}

/** Growth below this is what engines keep for themselves: compiled code, shapes, caches with a bound. */
const MAX_GROWTH = 12 * 1024 * 1024

export async function runTargets(
  targets: readonly Target[],
  options: RunOptions,
): Promise<readonly TargetResult[]> {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0)
  const results: TargetResult[] = []
  for (const target of targets) {
    const count = Math.max(1, Math.round((options.count * target.weight) / weights))
    const result = await runTarget(target, count, options)
    results.push(result)
    options.onTarget?.(result)
  }
  return results
}

async function runTarget(target: Target, count: number, options: RunOptions): Promise<TargetResult> {
  const {
    seed,
    first = 0,
    until = Number.POSITIVE_INFINITY,
    maxFindings = 3,
    patience = 1,
    collect,
  } = options
  const limit = patience * (target.limit ?? 250)
  const findings: Finding[] = []
  const began = performance.now()
  let inputs = 0
  let heap: number | undefined
  for (let index = first; index < first + count && findings.length < maxFindings; index++) {
    if (index % 64 === 0 && Date.now() > until) break
    // What is made once is made by now.
    if (collect !== undefined && heap === undefined && index - first >= count / 4)
      heap = await heapAfter(collect)
    options.onInput?.(target.name, index)
    const input = target.make(new Random(seed, target.name, index))
    const error = await failureOf(target, limit, input, () => new Random(seed, `${target.name}/check`, index))
    inputs++
    if (error === undefined) continue
    const small = await shrunk(
      target,
      limit,
      input,
      () => new Random(seed, `${target.name}/check`, index),
      error,
    )
    findings.push({ target: target.name, index, ...small })
  }
  const milliseconds = performance.now() - began
  const growth = collect === undefined || heap === undefined ? undefined : (await heapAfter(collect)) - heap
  if (growth !== undefined && growth > MAX_GROWTH) {
    const error = new Error(`the heap has grown by ${growth} bytes over ${inputs} inputs`)
    findings.push({ target: target.name, index: first + inputs, input: '', error })
  }
  return { target: target.name, inputs, milliseconds, growth, findings }
}

async function failureOf(
  target: Target,
  limit: number,
  input: Input,
  random: () => Random,
): Promise<Error | undefined> {
  const check = target.check as (input: Input, random: Random) => void | Promise<void>
  let fastest = Number.POSITIVE_INFINITY
  // A machine that does something else is slow once, or twice.
  for (let attempt = 0; attempt < 4 && fastest > limit; attempt++) {
    const began = performance.now()
    try {
      const pending = check(input, random())
      if (pending !== undefined) await pending
    } catch (error) {
      return error instanceof Error ? error : new Error(`threw ${String(error)}, which is no error`)
    }
    fastest = Math.min(fastest, performance.now() - began)
    if (fastest <= limit) return undefined
  }
  return new Error(
    `took ${Math.round(fastest)} ms for ${input.length} ${typeof input === 'string' ? 'characters' : 'bytes'}`,
  )
}

/** As long as the same goes wrong, with fewer characters. */
async function shrunk(
  target: Target,
  limit: number,
  input: Input,
  random: () => Random,
  found: Error,
): Promise<{ readonly input: Input; readonly error: Error }> {
  let best = { input, error: found }
  const until = Date.now() + 2_000
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.input.length && Date.now() < until; ) {
      const without = cut(best.input, at, size)
      const error = await failureOf(target, limit, without, random)
      if (error !== undefined && kindOf(error) === kindOf(found)) best = { input: without, error }
      else at += size
    }
  }
  return best
}

function cut(input: Input, at: number, size: number): Input {
  if (typeof input === 'string') return input.slice(0, at) + input.slice(at + size)
  const rest = new Uint8Array(Math.max(at, input.length - size))
  rest.set(input.subarray(0, at))
  rest.set(input.subarray(at + size), at)
  return rest.subarray(0, at + Math.max(0, input.length - at - size))
}

function kindOf(error: Error): string {
  return `${error.name} ${error.message.replace(/\d+|"[^"]*"/g, '').slice(0, 40)}`
}

/** What is held weakly, and what is finalised, goes between turns only. */
async function heapAfter(collect: () => void): Promise<number> {
  for (let round = 0; round < 2; round++) {
    await new Promise(resolve => setImmediate(resolve))
    collect()
  }
  return process.memoryUsage().heapUsed
}

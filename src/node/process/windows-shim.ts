/**
 * The `.cmd` files that package managers put in place of programs, read rather than run: what they would start is
 * started without cmd.exe.
 */

import { type Machine, pathsOf } from './machine.js'

export interface Shim {
  /** The program that it runs: a bare name, such as `node`, or a path. */
  readonly program: string
  /** That program beside the file, which it prefers to the one in PATH. */
  readonly sibling?: string
  /** Arguments of its own, before those given. */
  readonly args: readonly string[]
  /** Variables that it sets. */
  readonly env: Readonly<Record<string, string>>
}

/** Undefined for every batch file that does anything that is not understood. */
export function readShim(file: string, machine: Machine): Shim | undefined {
  const paths = pathsOf(machine)
  const text = machine.files.readText(file, 16 * 1024)
  if (text === undefined) return undefined
  const folder = `${paths.dirname(file)}\\`
  // The first value counts: the second is for where the first is not there.
  const values = new Map<string, string>([
    ['DP0', folder],
    ['~DP0', folder],
  ])
  const env: Record<string, string> = {}
  const runs: (readonly string[])[] = []

  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim().replace(/^@\s*/, '')
    if (PLUMBING.test(line)) continue
    const [, name, value] =
      /^set\s+(?:"([^=]+)=(.*)"|([^="]+)=(.*))$/i.exec(line)?.filter(part => part !== undefined) ?? []
    if (name !== undefined && value !== undefined) {
      const key = name.toUpperCase()
      if (key === 'DP0' || key === 'PATHEXT') continue
      const expanded = expand(value, values)
      if (/^_prog$|^NODE_EXE$|_JS$/i.test(name)) {
        if (!values.has(key) && expanded !== undefined) values.set(key, expanded)
      } else if (key === 'NODE_PATH') env.NODE_PATH ??= expanded ?? value
      else if (expanded === undefined || key === 'PATH') return undefined
      else env[name] = expanded
      continue
    }
    const command = /^(?:endlocal & goto #_undefined_# 2>nul \|\| title %comspec% & )?(.*?)\s+%\*$/i.exec(
      line,
    )?.[1]
    const words = command === undefined ? undefined : wordsOf(command, values)
    if (words === undefined) return undefined
    runs.push(words)
  }
  if (/%/.test(env.NODE_PATH ?? '')) return undefined

  const [program, ...args] = runs.at(-1) ?? []
  // One line, or one for the node.exe beside the file and one for any other, which say the same.
  if (runs.length > (/^\) else \($/im.test(text) ? 2 : 1)) return undefined
  if (program === undefined || runs.some(run => run.slice(1).join('\n') !== args.join('\n'))) return undefined
  const sibling = runs
    .map(([first = '']) => first)
    .find(first => /\.exe$/i.test(first) && paths.dirname(first) === paths.normalize(folder).slice(0, -1))
  return {
    program: sibling === undefined ? program : paths.basename(sibling).slice(0, -'.exe'.length),
    ...(sibling !== undefined && machine.files.isFile(sibling) ? { sibling } : {}),
    args,
    env,
  }
}

/** Lines that choose between the values which the other lines set. */
const PLUMBING =
  /^$|^(::|rem\b)|^echo off$|^setlocal$|^endlocal$|^goto start$|^:(find_dp0|start)$|^exit \/b( 0)?$|^call :find_dp0$|^if exist "[^"]*" \($|^if not exist "%node_exe%" \($|^if not defined node_path \($|^\) else \($|^\)$|^for \/f "delims=" %%F in \('call "%node_exe%" "%\w+%"( prefix -g)?'\) do \($/i

/** A command in words; undefined where it holds what cmd.exe would do more with. */
function wordsOf(command: string, values: ReadonlyMap<string, string>): readonly string[] | undefined {
  const words: string[] = []
  for (const [, quoted, bare] of command.matchAll(/"([^"]*)"|(\S+)/g)) {
    if (bare !== undefined && /["&|<>^()!]/.test(bare)) return undefined
    const word = expand(quoted ?? bare ?? '', values)
    if (word === undefined) return undefined
    words.push(/[\\/]/.test(word) && /^([A-Za-z]:|\\\\)/.test(word) ? normalized(word) : word)
  }
  return words
}

function expand(text: string, values: ReadonlyMap<string, string>): string | undefined {
  const expanded = text
    .replace(/%~dp0/gi, () => values.get('~DP0') ?? '')
    .replace(/%(\w+)%/g, (whole, name: string) => values.get(name.toUpperCase()) ?? whole)
  return expanded.includes('%') ? undefined : expanded
}

/** `C:\a\\..\b` as `C:\b`. */
function normalized(path: string): string {
  return pathsOf({ platform: 'win32' }).normalize(path)
}

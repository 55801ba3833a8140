/** Says why a program could not be started, and what to do about it. */

import { accessSync, closeSync, constants, openSync, readSync, type Stats, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { TransportError } from '../../exchange/errors.js'
import { nameOfUrl } from '../../exchange/http-address.js'

export interface SpawnFailure {
  readonly name: string
  readonly command: string
  readonly cwd?: string
  readonly env: Readonly<Record<string, string>>
  readonly cause: unknown
}

/** The system says ENOENT for a missing command, a missing folder and a missing interpreter alike; this finds out. */
export function spawnError({ name, command, cwd, env, cause }: SpawnFailure): TransportError {
  const failure = (why: string, knob?: string) =>
    new TransportError('ERR_SPAWN', `Cannot start ${name}: ${why}`, {
      hop: name,
      cause,
      retryable: true,
      ...(knob === undefined ? {} : { knob }),
    })

  if (cwd !== undefined && !isFolder(cwd)) {
    return failure(`its working directory ${cwd} does not exist or is no folder`, '--cwd')
  }
  const code = (cause as NodeJS.ErrnoException)?.code
  if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') {
    const found = findCommand(command, cwd, env)
    if (found === undefined) {
      return /[\\/]/.test(command)
        ? failure(`there is no file ${command}`)
        : failure(
            `the command "${command}" was not found, neither in PATH nor where installers put programs; install it, or give its full path`,
          )
    }
    if (isFolder(found)) return failure(`${found} is a folder`)
    if (!isExecutable(found))
      return failure(`${found} is not executable; try chmod +x, or start it with its interpreter`)
    const interpreter = interpreterOf(found)
    if (interpreter !== undefined)
      return failure(`the interpreter that ${found} names (${interpreter}) was not found`)
  }
  if (code === 'E2BIG') return failure('its arguments and environment are too long')
  if (code === 'EAGAIN' || code === 'EMFILE' || code === 'ENOMEM') {
    return failure('the system has no room for another process or file; stop some, or raise the limit')
  }
  return failure(cause instanceof Error ? cause.message : String(cause))
}

/** A command line for people and for errors, which callers get to see: what looks secret is masked. */
export function nameOfCommand(command: string, args: readonly string[]): string {
  const shown = maskedArguments(args).map((argument, index) =>
    /\s/.test(argument) && argument === args[index] ? JSON.stringify(argument) : argument,
  )
  const name = [command, ...shown].join(' ')
  return name.length > 200 ? `${name.slice(0, 197)}...` : name
}

/** The arguments of a program, with what looks secret masked. */
export function maskedArguments(args: readonly string[]): readonly string[] {
  return args.map((argument, index) => {
    const secret = secretOf(argument, args[index - 1])
    if (secret === undefined) return argument
    return secret === 'address' ? nameOfUrl(argument) : `${argument.slice(0, secret)}***`
  })
}

/** The secrets among the arguments of a program, as far as they look like some. */
export function secretsOfArguments(args: readonly string[]): readonly string[] {
  return args.flatMap((argument, index) => {
    const secret = secretOf(argument, args[index - 1])
    if (secret === undefined) return []
    if (secret !== 'address') return [argument.slice(secret)]
    const { username, password, searchParams, search } = new URL(argument)
    return [username, password, ...searchParams.values(), ...search.slice(1).split(/[&=]/)]
  })
}

/** Where in an argument its secret begins; `address` for an address that has one. */
function secretOf(argument: string, before: string | undefined): number | 'address' | undefined {
  if (before !== undefined && !before.includes('=') && before.startsWith('-') && takesSecret(before)) return 0
  if (/^https?:\/\/[^\s]*[?@]/i.test(argument) && URL.canParse(argument)) return 'address'
  const assignment = /^([^=\s]+)=/.exec(argument)
  if (assignment !== null) return SECRET_NAME.test(assignment[1] as string) ? assignment[0].length : undefined
  if (argument.startsWith('-')) return undefined
  return /^(Bearer|Basic) |^(sk|pk|ghp|gho|ghs|xox[a-z])[-_]|:\/\/[^/\s]*:[^/\s]*@/i.test(argument)
    ? 0
    : undefined
}

function takesSecret(option: string): boolean {
  return SECRET_NAME.test(option) || /^-{1,2}(H|headers?)$/.test(option)
}

/** What is called so holds a secret. */
export const SECRET_NAME = /key|token|secret|passw|pwd|auth|credential|bearer|cookie|dsn|connection-?string/i

function findCommand(
  command: string,
  cwd: string | undefined,
  env: Readonly<Record<string, string>>,
): string | undefined {
  if (/[\\/]/.test(command)) {
    const path = isAbsolute(command) ? command : resolve(cwd ?? '.', command)
    return exists(path) ? path : undefined
  }
  const matches = (env.PATH ?? env.Path ?? '')
    .split(delimiter)
    .filter(folder => folder !== '')
    .map(folder => join(folder, command))
    .filter(exists)
  return matches.find(isExecutable) ?? matches[0]
}

/** The program of a `#!` line, where that program is missing. */
function interpreterOf(path: string): string | undefined {
  try {
    const head = Buffer.alloc(256)
    const file = openSync(path, 'r')
    try {
      readSync(file, head)
    } finally {
      closeSync(file)
    }
    const interpreter = /^#!\s*(\S+)/.exec(head.toString('latin1'))?.[1]
    return interpreter !== undefined && !exists(interpreter) ? interpreter : undefined
  } catch {
    return undefined
  }
}

function exists(path: string): boolean {
  return stat(path) !== undefined
}

function isFolder(path: string): boolean {
  return stat(path)?.isDirectory() ?? false
}

function stat(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // A folder on the way that we may not enter.
    return undefined
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

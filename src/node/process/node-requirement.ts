/** Which versions of Node a server asks for, read from the files around it. */

import { type Machine, pathsOf } from './machine.js'
import { satisfies } from './version-range.js'

export interface NodeRequirement {
  /** What `satisfies` understands. */
  readonly range: string
  /** For people: who asks. */
  readonly source: string
}

export interface NodeRequirements {
  /** Of the package that is to run. */
  readonly engines?: NodeRequirement
  /** What the working folder is pinned to: a preference, as nothing says that the server is of that folder. */
  readonly pinned?: NodeRequirement
}

const MAX_LEVELS = 32

/** `command` is the bare name (`node`, `npx`, ...); `script` the file that Node will run, where that is known. */
export function nodeRequirements(
  command: string,
  args: readonly string[],
  script: string | undefined,
  machine: Machine,
): NodeRequirements {
  const engines = enginesOf(command, args, script, machine)
  const pinned = pinOf(machine)
  return { ...(engines === undefined ? {} : { engines }), ...(pinned === undefined ? {} : { pinned }) }
}

function enginesOf(
  command: string,
  args: readonly string[],
  script: string | undefined,
  machine: Machine,
): NodeRequirement | undefined {
  const paths = pathsOf(machine)
  switch (command) {
    case 'node': {
      const file = args[scriptIndex(args)]
      return file === undefined ? undefined : nearestEngines(paths.resolve(machine.cwd, file, '..'), machine)
    }
    case 'npx':
    case 'pnpx': {
      const name = packageName(args.find(argument => !argument.startsWith('-')) ?? '')
      if (name === undefined) return undefined
      for (const folder of upwards(machine.cwd, machine)) {
        const found = readEngines(
          paths.join(folder, 'node_modules', ...name.split('/'), 'package.json'),
          machine,
        )
        if (found !== undefined) return found.engines
      }
      return undefined
    }
    case 'npm':
    case 'pnpm':
    case 'yarn':
      // `npm exec other-package` and the like run what is not of this folder.
      return /^(exec|x|dlx|create|init)$/.test(args.find(argument => !argument.startsWith('-')) ?? '')
        ? undefined
        : nearestEngines(machine.cwd, machine)
    default:
      return script === undefined
        ? undefined
        : nearestEngines(paths.dirname(machine.files.realPath(script)), machine)
  }
}

/** Options of Node that take the next argument; any other may be told by its dash. */
const WITH_VALUE =
  /^(-r|--require|--import|--loader|--experimental-loader|-C|--conditions|--env-file|--title)$/

/** Where the script stands among the arguments of Node; past their end where there is none. */
function scriptIndex(args: readonly string[]): number {
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string
    if (argument === '--') return index + 1
    if (/^(-e|--eval|-p|--print|-pe|-)$/.test(argument)) return args.length
    if (WITH_VALUE.test(argument)) index++
    else if (!argument.startsWith('-')) return index
  }
  return args.length
}

/** `@scope/name@1.2.3` without its version; undefined for what is no name of a package. */
function packageName(specifier: string): string | undefined {
  return /^((?:@[\w.-]+\/)?[\w-][\w.-]*)(?:@[^/]*)?$/.exec(specifier)?.[1]
}

function nearestEngines(start: string, machine: Machine): NodeRequirement | undefined {
  for (const folder of upwards(start, machine)) {
    const found = readEngines(pathsOf(machine).join(folder, 'package.json'), machine)
    // A package.json without a name only says what kind of modules lie there.
    if (found?.engines !== undefined || found?.named) return found.engines
  }
  return undefined
}

function readEngines(file: string, { files }: Machine) {
  const text = files.readText(file)
  if (text === undefined) return undefined
  try {
    const { name, engines } = JSON.parse(text) as { name?: unknown; engines?: { node?: unknown } }
    const range = engines?.node
    const known = typeof range === 'string' && satisfies([0, 0, 0], range) !== undefined
    return { named: name !== undefined, engines: known ? { range, source: file } : undefined }
  } catch {
    return { named: false, engines: undefined }
  }
}

function pinOf(machine: Machine): NodeRequirement | undefined {
  for (const name of ['.nvmrc', '.node-version']) {
    const file = pathsOf(machine).join(machine.cwd, name)
    const line = machine.files
      .readText(file)
      ?.split('\n')
      .map(text => text.replace(/#.*/, '').trim())
      .find(text => text !== '')
    const range = line === undefined ? undefined : rangeOfPin(line)
    if (range !== undefined) return { range, source: file }
  }
  return undefined
}

const LONG_TERM: Readonly<Record<string, string>> = {
  '*': '16 || 18 || 20 || 22 || 24 || 26',
  fermium: '14',
  gallium: '16',
  hydrogen: '18',
  iron: '20',
  jod: '22',
  krypton: '24',
}

function rangeOfPin(pin: string): string | undefined {
  if (/^(node|stable|latest|current)$/.test(pin)) return '*'
  const line = /^lts\/(.+)$/.exec(pin)?.[1]
  const range = line === undefined ? pin : LONG_TERM[line.toLowerCase()]
  return range === undefined || satisfies([0, 0, 0], range) === undefined ? undefined : range
}

function* upwards(start: string, machine: Machine): Generator<string> {
  let folder = start
  for (let level = 0; level < MAX_LEVELS; level++) {
    yield folder
    const parent = pathsOf(machine).dirname(folder)
    if (parent === folder) return
    folder = parent
  }
}

/**
 * Finds programs: in PATH as the system would, and where installers put them, for whoever was started without
 * the PATH of a shell (desktop applications are).
 */

import { homeOf, type Machine, pathFolders, pathsOf, variable } from './machine.js'
import { homebrewPrefixes, miseData, nodeInstallations } from './node-installations.js'
import { compareVersions, parseVersion } from './version-range.js'

export interface FoundElsewhere {
  readonly file: string
  /** Who put it there: `uv`, `Homebrew`, ... */
  readonly from: string
}

/** A bare name in PATH. */
export function findInPath(command: string, machine: Machine): string | undefined {
  for (const folder of pathFolders(machine)) {
    const file = findInFolder(command, folder, machine)
    if (file !== undefined) return file
  }
  return undefined
}

/** A name in a folder; on Windows with the extensions of PATHEXT, in their order. */
export function findInFolder(command: string, folder: string, machine: Machine): string | undefined {
  const { join, extname } = pathsOf(machine)
  const path = join(folder, command)
  if (machine.platform !== 'win32') return machine.files.isExecutable(path) ? path : undefined
  // A name without an extension is no program there: npm puts a shell script of that name beside `npx.cmd`.
  const exact = extname(command) === '' ? [] : ['']
  return [...exact, ...pathExtensions(machine)].map(extension => path + extension).find(machine.files.isFile)
}

/** A bare name that is not in PATH, where installers would have put it. */
export function findElsewhere(command: string, machine: Machine): FoundElsewhere | undefined {
  for (const [from, folder] of usualFolders(machine)) {
    const file = findInFolder(command, folder, machine)
    if (file !== undefined) return { file, from }
  }
  return undefined
}

const PATH_EXTENSIONS = '.COM;.EXE;.BAT;.CMD'

function pathExtensions(machine: Machine): readonly string[] {
  return (variable(machine, 'PATHEXT') ?? PATH_EXTENSIONS)
    .split(';')
    .map(extension => extension.trim().toLowerCase())
    .filter(extension => extension.startsWith('.'))
}

type Place = readonly [from: string, folder: string | undefined]

function* usualFolders(machine: Machine): Generator<readonly [from: string, folder: string]> {
  const { join } = pathsOf(machine)
  const given = (name: string) => variable(machine, name)
  const home = homeOf(machine)
  const at = (root: string | undefined, ...names: readonly string[]) =>
    root === undefined ? undefined : join(root, ...names)
  const inHome = (...names: readonly string[]) => at(home, ...names)
  const places = function* (): Generator<Place> {
    yield ['uv or pipx', given('XDG_BIN_HOME') ?? inHome('.local', 'bin')]
    yield* machine.platform === 'win32' ? windowsPlaces() : posixPlaces()
    yield ['cargo', at(given('CARGO_HOME') ?? inHome('.cargo'), 'bin')]
    yield ['bun', at(given('BUN_INSTALL') ?? inHome('.bun'), 'bin')]
    yield ['deno', at(given('DENO_INSTALL') ?? inHome('.deno'), 'bin')]
    yield ['go', at(given('GOPATH') ?? inHome('go'), 'bin')]
    // What is installed globally lies beside the node it was installed with.
    for (const { from, folder } of nodeInstallations(machine)) yield [from, folder]
    yield* toolVersions()
  }
  const posixPlaces = function* (): Generator<Place> {
    yield ['you', inHome('bin')]
    yield ['the system', '/usr/local/bin']
    for (const prefix of homebrewPrefixes(machine)) yield ['Homebrew', join(prefix, 'bin')]
    yield ['the system', '/usr/bin']
    yield ['the system', '/bin']
    yield ['MacPorts', '/opt/local/bin']
    yield ['snap', '/snap/bin']
    yield ['Nix', inHome('.nix-profile', 'bin')]
    yield ['Docker', '/Applications/Docker.app/Contents/Resources/bin']
    for (const prefix of npmPrefixes(machine)) yield ['npm', join(prefix, 'bin')]
    yield ['pnpm', given('PNPM_HOME') ?? at(given('XDG_DATA_HOME') ?? inHome('.local', 'share'), 'pnpm')]
    yield ['pnpm', inHome('Library', 'pnpm')]
    yield ['yarn', inHome('.yarn', 'bin')]
    yield ['volta', at(given('VOLTA_HOME') ?? inHome('.volta'), 'bin')]
  }
  const windowsPlaces = function* (): Generator<Place> {
    for (const prefix of npmPrefixes(machine)) yield ['npm', prefix]
    yield ['WinGet', at(given('LOCALAPPDATA'), 'Microsoft', 'WinGet', 'Links')]
    yield ['scoop', inHome('scoop', 'shims')]
    yield ['Chocolatey', at(given('PROGRAMDATA'), 'chocolatey', 'bin')]
    yield ['Docker', at(given('PROGRAMFILES'), 'Docker', 'Docker', 'resources', 'bin')]
    yield ['pnpm', given('PNPM_HOME') ?? at(given('LOCALAPPDATA'), 'pnpm')]
    yield ['volta', at(given('PROGRAMFILES'), 'Volta')]
    yield ['volta', at(given('VOLTA_HOME') ?? at(given('LOCALAPPDATA'), 'Volta'), 'bin')]
    for (const folder of newestFirst(at(given('LOCALAPPDATA'), 'Programs', 'Python'))) {
      yield ['the Python installer', folder]
      yield ['the Python installer', join(folder, 'Scripts')]
    }
  }
  /** Each version a folder; then the stand-ins, which find the version by themselves where one is set. */
  const toolVersions = function* (): Generator<Place> {
    const below = machine.platform === 'win32' ? [] : ['bin']
    const pyenv =
      machine.platform === 'win32'
        ? (given('PYENV_ROOT') ?? inHome('.pyenv', 'pyenv-win'))
        : (given('PYENV_ROOT') ?? inHome('.pyenv'))
    const mise = machine.platform === 'win32' ? at(given('LOCALAPPDATA'), 'mise') : miseData(machine)
    const asdf = given('ASDF_DATA_DIR') ?? inHome('.asdf')
    for (const folder of newestFirst(at(pyenv, 'versions'))) yield ['pyenv', join(folder, ...below)]
    for (const [from, root] of [
      ['mise', mise],
      ['asdf', asdf],
    ] as const) {
      for (const tool of machine.files.list(at(root, 'installs') ?? '')) {
        const [newest] = newestFirst(at(root, 'installs', tool))
        if (newest === undefined) continue
        yield [from, join(newest, 'bin')]
        yield [from, newest]
      }
      yield [from, at(root, 'shims')]
    }
  }
  const newestFirst = (parent: string | undefined): readonly string[] => {
    if (parent === undefined) return []
    return machine.files
      .list(parent)
      .map(name => ({ name, version: parseVersion(name) ?? pythonVersion(name) }))
      .filter(({ version }) => version !== undefined)
      .sort((a, b) => compareVersions(b.version ?? [0, 0, 0], a.version ?? [0, 0, 0]))
      .map(({ name }) => join(parent, name))
  }

  for (const [from, folder] of places()) if (folder !== undefined) yield [from, folder]
}

/** `Python312`, as the installer for Windows names its folders. */
function pythonVersion(name: string) {
  const [, major, minor] = /^Python(\d)(\d+)/.exec(name) ?? []
  return major === undefined ? undefined : ([Number(major), Number(minor), 0] as const)
}

/** Where npm puts global packages, by its settings and by habit. */
export function npmPrefixes(machine: Machine): readonly string[] {
  const { join } = pathsOf(machine)
  const home = homeOf(machine)
  const appData = machine.platform === 'win32' ? variable(machine, 'APPDATA') : undefined
  const file = home === undefined ? undefined : machine.files.readText(join(home, '.npmrc'))
  const inFile = /^\s*prefix\s*=\s*(.+?)\s*$/m.exec(file ?? '')?.[1]?.replace(/^(["'])(.*)\1$/, '$2')
  return [
    variable(machine, 'npm_config_prefix') ?? variable(machine, 'NPM_CONFIG_PREFIX'),
    inFile?.replace(/^(~|\$\{HOME\})(?=[\\/]|$)/, () => home ?? ''),
    appData === undefined ? undefined : join(appData, 'npm'),
    home === undefined || machine.platform === 'win32' ? undefined : join(home, '.npm-global'),
  ].filter(prefix => prefix !== undefined)
}

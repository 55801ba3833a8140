/** The versions of Node on a machine, found by where installers put them; none is ever run to find out. */

import { homeOf, type Machine, pathsOf, variable } from './machine.js'
import { compareVersions, parseVersion, type Version } from './version-range.js'

export interface NodeInstallation {
  /** The folder that holds `node`, and `npx` beside it. */
  readonly folder: string
  /** Undefined where nothing tells it. */
  readonly version: Version | undefined
  /** Who put it there: `nvm`, `fnm`, ... */
  readonly from: string
}

/** Newest first; those of unknown version last. */
export function nodeInstallations(machine: Machine): readonly NodeInstallation[] {
  const paths = pathsOf(machine)
  const executable = machine.platform === 'win32' ? 'node.exe' : 'node'
  const seen = new Set<string>()
  const found: NodeInstallation[] = []
  const add = (from: string, folder: string, named?: Version) => {
    const node = paths.join(folder, executable)
    if (!machine.files.isExecutable(node)) return
    const real = machine.files.realPath(node)
    if (seen.has(real)) return
    seen.add(real)
    found.push({ folder, from, version: named ?? versionOfNode(node, machine) })
  }
  for (const { from, parent, below } of versionFolders(machine)) {
    for (const name of machine.files.list(parent)) {
      // Aliases such as `22` or `lts` are links to what is listed under its version as well.
      const version = parseVersion(name)
      if (version !== undefined) add(from, paths.join(parent, name, ...below), version)
    }
  }
  for (const [from, folder] of plainFolders(machine)) add(from, folder)
  return found.sort((a, b) =>
    a.version === undefined || b.version === undefined
      ? Number(a.version === undefined) - Number(b.version === undefined)
      : compareVersions(b.version, a.version),
  )
}

/** By the folder it lies in, or by the headers that come with it. */
export function versionOfNode(node: string, machine: Machine): Version | undefined {
  const paths = pathsOf(machine)
  const real = machine.files.realPath(node)
  if (machine.ownNode !== undefined && machine.files.realPath(machine.ownNode.executable) === real)
    return parseVersion(machine.ownNode.version)
  const folder = paths.dirname(real)
  const prefix = paths.basename(folder) === 'bin' ? paths.dirname(folder) : folder
  // fnm keeps .../v22.1.0/installation, archives unpack to node-v22.1.0-linux-x64.
  for (const name of [paths.basename(prefix), paths.basename(paths.dirname(prefix))]) {
    const version = parseVersion(name.replace(/^node(js)?-/, ''))
    if (version !== undefined) return version
  }
  const header = machine.files.readText(paths.join(prefix, 'include', 'node', 'node_version.h'))
  const part = (name: string) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(header ?? '')?.[1]
  return parseVersion(`${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`)
}

interface VersionFolder {
  readonly from: string
  /** Holds a folder for each version. */
  readonly parent: string
  /** From there to the executables. */
  readonly below: readonly string[]
}

function versionFolders(machine: Machine): readonly VersionFolder[] {
  const { join } = pathsOf(machine)
  const home = homeOf(machine)
  const inHome = (...names: readonly string[]) => (home === undefined ? undefined : join(home, ...names))
  const at = (root: string | undefined, ...names: readonly string[]) =>
    root === undefined ? undefined : join(root, ...names)
  const given = (name: string) => variable(machine, name)
  const rows: (readonly [from: string, parent: string | undefined, ...below: string[]])[] =
    machine.platform === 'win32'
      ? [
          ['nvm', given('NVM_HOME') ?? at(given('APPDATA'), 'nvm')],
          ['nvm', at(given('LOCALAPPDATA'), 'nvm')],
          ['fnm', at(given('FNM_DIR') ?? at(given('APPDATA'), 'fnm'), 'node-versions'), 'installation'],
          ['volta', at(given('VOLTA_HOME') ?? at(given('LOCALAPPDATA'), 'Volta'), 'tools', 'image', 'node')],
          ['mise', at(given('MISE_DATA_DIR') ?? at(given('LOCALAPPDATA'), 'mise'), 'installs', 'node')],
        ]
      : [
          ['nvm', at(given('NVM_DIR'), 'versions', 'node'), 'bin'],
          ['nvm', inHome('.nvm', 'versions', 'node'), 'bin'],
          ['nvm', at(given('XDG_CONFIG_HOME') ?? inHome('.config'), 'nvm', 'versions', 'node'), 'bin'],
          ...[
            given('FNM_DIR'),
            at(given('XDG_DATA_HOME') ?? inHome('.local', 'share'), 'fnm'),
            inHome('.fnm'),
            inHome('Library', 'Application Support', 'fnm'),
          ].map(root => ['fnm', at(root, 'node-versions'), 'installation', 'bin'] as const),
          ['volta', at(given('VOLTA_HOME') ?? inHome('.volta'), 'tools', 'image', 'node'), 'bin'],
          ['mise', at(miseData(machine), 'installs', 'node'), 'bin'],
          ['asdf', at(given('ASDF_DATA_DIR') ?? inHome('.asdf'), 'installs', 'nodejs'), 'bin'],
          ['nodenv', at(given('NODENV_ROOT') ?? inHome('.nodenv'), 'versions'), 'bin'],
          ['n', at(given('N_PREFIX') ?? '/usr/local', 'n', 'versions', 'node'), 'bin'],
        ]
  return rows.flatMap(([from, parent, ...below]) => (parent === undefined ? [] : [{ from, parent, below }]))
}

export function miseData(machine: Machine): string | undefined {
  const home = homeOf(machine)
  const given = variable(machine, 'MISE_DATA_DIR')
  if (given !== undefined) return given
  const { join } = pathsOf(machine)
  const share =
    variable(machine, 'XDG_DATA_HOME') ?? (home === undefined ? undefined : join(home, '.local', 'share'))
  return share === undefined ? undefined : join(share, 'mise')
}

function plainFolders(machine: Machine): readonly (readonly [from: string, folder: string])[] {
  const { dirname, basename, join } = pathsOf(machine)
  const own = machine.ownNode?.executable
  // An editor that runs us with its own binary is no Node for others.
  const ours =
    own !== undefined && /^node(\.exe)?$/i.test(basename(own)) ? ([['anyport', dirname(own)]] as const) : []
  const programFiles = variable(machine, 'PROGRAMFILES')
  if (machine.platform === 'win32') {
    const home = homeOf(machine)
    return [
      ...(programFiles === undefined
        ? []
        : ([['the Node installer', join(programFiles, 'nodejs')]] as const)),
      ...(home === undefined ? [] : ([['scoop', join(home, 'scoop', 'apps', 'nodejs', 'current')]] as const)),
      ...ours,
    ]
  }
  const home = homeOf(machine)
  return [
    ...homebrewPrefixes(machine).flatMap(prefix => [
      ['Homebrew', join(prefix, 'bin')] as const,
      ...machine.files
        .list(join(prefix, 'opt'))
        .filter(name => /^node(@\d+)?$/.test(name))
        .map(name => ['Homebrew', join(prefix, 'opt', name, 'bin')] as const),
    ]),
    ...(home === undefined ? [] : ([['you', join(home, '.local', 'bin')]] as const)),
    ['the system', '/usr/local/bin'],
    ['the system', '/usr/bin'],
    ...ours,
  ]
}

export function homebrewPrefixes(machine: Machine): readonly string[] {
  const given = variable(machine, 'HOMEBREW_PREFIX')
  return [...(given === undefined ? [] : [given]), '/opt/homebrew', '/home/linuxbrew/.linuxbrew']
}

/** What is seen of a server that is a program: how it starts, what it writes, how it ends. */

import { execFile } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import type { ServerEntry, StdioServer } from '../../config/server-entry.js'
import { serverOf } from '../../node/config/config-servers.js'
import { OLDEST_NODE } from '../../node/process/choose-node.js'
import { childEnvironment } from '../../node/process/environment.js'
import { realFiles } from '../../node/process/file-view.js'
import { findElsewhere, findInPath } from '../../node/process/find-command.js'
import type { LaunchPlan } from '../../node/process/launch-plan.js'
import { type Machine, pathsOf } from '../../node/process/machine.js'
import { nodeInstallations, versionOfNode } from '../../node/process/node-installations.js'
import { nodeRequirements } from '../../node/process/node-requirement.js'
import { formatVersion, parseVersion, satisfies } from '../../node/process/version-range.js'
import type { Noise } from '../../protocol/line-codec.js'
import { examine, type Outcome, pinnedEra } from './examine.js'

export interface ProgramFacts {
  readonly kind: 'program'
  readonly command: string
  readonly args: readonly string[]
  /** The command was found; undefined where there is none of that name. */
  readonly found: string | undefined
  /** It was found where clients look as well: in PATH, or by its path. */
  readonly inPath: boolean
  /** What was started, and what had to be repaired for it. */
  readonly launch: Pick<LaunchPlan, 'file' | 'args' | 'why'> | undefined
  /** The Node that a client would start it with; undefined where none is needed, or found. */
  readonly node: NodeFacts | undefined
  /** The last lines of its last start. */
  readonly stderr: readonly string[]
  /** The first lines on stdout that were no messages, and how many there were. */
  readonly noise: readonly Noise[]
  readonly noiseCount: number
  readonly outcome: Outcome
}

export interface NodeFacts {
  readonly file: string
  readonly version: string
  /** What is asked for, and who asks, where this version is not it. */
  readonly unmet: { readonly range: string; readonly source: string } | undefined
  /** The folder of the newest one on this machine that would do, where this one does not. */
  readonly better: string | undefined
}

export interface ProgramProbe {
  /** What relative paths are relative to. */
  readonly file: string
  /** Milliseconds for all but the ending of the program. */
  readonly limit: number
}

const MAX_STDERR = 20
const MAX_NOISE = 3
const NODE_LIMIT = 2_000

/** Never rejects. */
export async function probeProgram(
  entry: ServerEntry & { readonly server: StdioServer },
  { file, limit }: ProgramProbe,
): Promise<ProgramFacts> {
  const { command, args } = entry.server
  let stderr: string[] = []
  let launch: LaunchPlan | undefined
  const noise: Noise[] = []
  let noiseCount = 0
  const open = async (): Promise<Outcome> => {
    const { target } = serverOf(entry, {
      file,
      onStderr: (_name, line) => {
        stderr.push(line)
        if (stderr.length > MAX_STDERR) stderr.shift()
      },
      onLaunch: (_name, plan) => {
        launch = plan
        // Many are started twice: what ended at the first question is a legacy server.
        stderr = []
      },
    })
    if (typeof target === 'function') throw new TypeError('a program cannot be a handler')
    return await examine(target, {
      limit,
      era: pinnedEra(entry),
      onNoise: line => {
        noiseCount++
        if (noise.length < MAX_NOISE) noise.push(line)
      },
    })
  }
  const machine = machineOf(entry.server, file)
  const [outcome, node] = await Promise.all([
    open().catch((error: unknown): Outcome => ({ kind: 'failed', error, during: 'open' })),
    nodeOf(entry.server, machine),
  ])
  return {
    kind: 'program',
    command,
    args,
    found: findCommand(command, machine),
    inPath: /[\\/]/.test(command) || findInPath(command, machine) !== undefined,
    launch,
    node,
    stderr,
    noise,
    noiseCount,
    outcome,
  }
}

/** As the client itself would start it, without our repairs. */
function machineOf({ env, inheritEnv, cwd }: StdioServer, file: string): Machine {
  return {
    platform: process.platform,
    env: childEnvironment({ env, inheritNames: inheritEnv === true ? ['*'] : (inheritEnv ?? []) }),
    cwd: resolve(dirname(file), cwd ?? '.'),
    files: realFiles,
    ownNode: { executable: process.execPath, version: process.version },
  }
}

function findCommand(command: string, machine: Machine): string | undefined {
  if (/[\\/]/.test(command)) {
    const path = pathsOf(machine).resolve(machine.cwd, command)
    return realFiles.isFile(path) ? path : undefined
  }
  return findInPath(command, machine) ?? findElsewhere(command, machine)?.file
}

const WITH_NODE = /^(node|npx|npm|corepack|pnpm|pnpx|yarn)$/
const NODE_SCRIPT = /^#!\s*\S*\/env\s+(-S\s+)?node\b/

async function nodeOf({ command, args }: StdioServer, machine: Machine): Promise<NodeFacts | undefined> {
  const paths = pathsOf(machine)
  const found = findCommand(command, machine)
  const name = paths.basename(command).replace(/\.(exe|cmd|bat)$/i, '')
  const isScript = found !== undefined && NODE_SCRIPT.test(realFiles.readText(found, 256) ?? '')
  if (!WITH_NODE.test(name) && !isScript) return undefined
  const file = name === 'node' && found !== undefined ? found : findInPath('node', machine)
  if (file === undefined) return undefined
  const known = versionOfNode(file, machine)
  const version = known ?? parseVersion(await versionSaid(file, machine))
  if (version === undefined) return undefined
  const { engines } = nodeRequirements(name, args, isScript ? found : undefined, machine)
  const wanted = engines ?? { range: `>=${OLDEST_NODE}`, source: 'anyport, and most servers of today,' }
  const isUnmet = satisfies(version, wanted.range) === false
  const better = isUnmet
    ? nodeInstallations(machine).find(
        one => one.version !== undefined && satisfies(one.version, wanted.range),
      )
    : undefined
  return {
    file,
    version: formatVersion(version),
    unmet: isUnmet ? wanted : undefined,
    better: better?.folder,
  }
}

function versionSaid(file: string, { env, cwd }: Machine): Promise<string> {
  return new Promise(done => {
    try {
      execFile(file, ['--version'], { env, cwd, timeout: NODE_LIMIT, killSignal: 'SIGKILL' }, (_error, out) =>
        done(out),
      )
    } catch {
      done('')
    }
  })
}

/**
 * How a command line is started on a platform: which file, with which arguments, and with which PATH. A pure function of
 * what it is given, so that it can be tested for any platform on any other.
 */

import { chooseNode } from './choose-node.js'
import { findElsewhere, findInFolder, findInPath, npmPrefixes } from './find-command.js'
import { type Machine, pathsOf, variable, withFolderInPath } from './machine.js'
import { nodeRequirements } from './node-requirement.js'
import { batchArguments } from './windows-command-line.js'
import { readShim, type Shim } from './windows-shim.js'

export interface LaunchRequest extends Machine {
  readonly command: string
  readonly args: readonly string[]
}

export interface LaunchPlan {
  readonly file: string
  readonly args: readonly string[]
  /** What differs from what was asked for. */
  readonly options?: {
    /** The child's whole environment, where its PATH had to be repaired or a wrapper would have set variables. */
    readonly env?: Readonly<Record<string, string>>
    /** The arguments are quoted already. */
    readonly windowsVerbatimArguments?: true
  }
  /** For people: what was repaired, and why. Empty where nothing had to be. */
  readonly why: readonly string[]
}

/**
 * Throws `TypeError` for what this platform cannot start, or not without changing an argument. What is nowhere to be
 * found is left to the system, whose error says so.
 */
export function planLaunch(request: LaunchRequest): LaunchPlan {
  return request.platform === 'win32' ? planWindows(request) : planPosix(request)
}

/** Commands that come with Node and lie beside it. */
const WITH_NODE = /^(node|npx|npm|corepack)$/
const NODE_SCRIPT = /^#!\s*\S*\/env\s+(-S\s+)?node\b/

function planPosix(request: LaunchRequest): LaunchPlan {
  const { command, args, files } = request
  const { basename, dirname, join, resolve } = pathsOf(request)
  const bare = !command.includes('/')
  const found = bare ? findInPath(command, request) : resolve(request.cwd, command)
  const asItIs: LaunchPlan = { file: command, args, why: [] }

  if (bare && WITH_NODE.test(command)) {
    const requirements = nodeRequirements(command, args, undefined, request)
    const chosen = chooseNode(findInPath('node', request), command, requirements, request)
    if (chosen === undefined) return asItIs
    // An npx finds its node in PATH by itself.
    const env = withFolderInPath(request, chosen.folder, 'first')
    return { file: join(chosen.folder, command), args, options: { env }, why: [chosen.why] }
  }

  let plan = asItIs
  let file = found
  if (file === undefined) {
    const inner = insideCmd(request)
    if (inner !== undefined) return { ...planPosix(inner), why: [withoutCmd(inner), ...planPosix(inner).why] }
    const elsewhere = findElsewhere(command, request)
    if (elsewhere === undefined) return asItIs
    file = elsewhere.file
    plan = takenFrom(elsewhere, request)
  }
  if (!NODE_SCRIPT.test(files.readText(file, 256) ?? '')) return plan

  const machine = { ...request, env: plan.options?.env ?? request.env }
  const nodeInPath = findInPath('node', machine)
  const sibling = join(dirname(file), 'node')
  // Whoever names the npx of one Node means that Node, and what was installed with a Node may need it.
  const belongs = plan !== asItIs || WITH_NODE.test(basename(file))
  if (files.isExecutable(sibling) && (nodeInPath === undefined || belongs)) {
    if (nodeInPath === sibling) return plan
    const otherwise = nodeInPath === undefined ? 'would find no node there' : `would be run by ${nodeInPath}`
    return withNodeFirst(
      plan,
      dirname(file),
      `put ${dirname(file)} first in PATH: ${command} ${otherwise}`,
      machine,
    )
  }
  const requirements = nodeRequirements(basename(command), args, file, machine)
  const chosen = chooseNode(nodeInPath, 'node', requirements, machine)
  return chosen === undefined ? plan : withNodeFirst(plan, chosen.folder, chosen.why, machine)
}

function planWindows(given: LaunchRequest): LaunchPlan {
  const { args, cwd, files } = given
  const { basename, extname, join, resolve } = pathsOf(given)
  // Quotes are no part of any path; some copy them from a shell.
  const command = given.command.replace(/^"(.*)"$/, '$1').replaceAll('/', '\\')
  const request = { ...given, command }
  const inner = insideCmd(request)
  if (inner !== undefined && findWindows(inner) !== undefined) {
    const plan = planWindows(inner)
    return { ...plan, why: [withoutCmd(inner), ...plan.why] }
  }

  const bare = isBare(command)
  const name = basename(command)
    .replace(/\.(exe|cmd|bat)$/i, '')
    .toLowerCase()
  const ofNode = bare && WITH_NODE.test(name)
  let plan: LaunchPlan = { file: command, args, why: [] }
  let file = findWindows(request)
  if (file === undefined && bare && !ofNode) {
    const elsewhere = findElsewhere(command, request)
    if (elsewhere !== undefined) plan = takenFrom(elsewhere, request)
    file = elsewhere?.file
  }
  let shim = shimOf(file, request)
  let node = shim?.sibling ?? (file !== undefined && name === 'node' ? file : findInPath('node', request))

  if (ofNode || shim?.program === 'node') {
    const machine = { ...request, env: plan.options?.env ?? request.env }
    const requirements = nodeRequirements(name, args, ofNode ? undefined : shim?.args.at(-1), machine)
    const chosen = chooseNode(node, ofNode ? name : 'node', requirements, machine)
    if (chosen !== undefined) {
      plan = withNodeFirst(plan, chosen.folder, chosen.why, machine)
      node = join(chosen.folder, 'node.exe')
      if (ofNode) {
        file = findInFolder(name, chosen.folder, request)
        shim = shimOf(file, request)
      }
    }
  }
  if (file === undefined) {
    const script = bare ? findInPath(`${command}.ps1`, request) : resolve(cwd, command)
    if (script === undefined || !files.isFile(script)) return plan
    file = script
  }
  if (shim !== undefined) {
    const direct = withoutShim(plan, shim, node, request)
    if (direct !== undefined) return direct
  }
  switch (extname(file).toLowerCase()) {
    case '.exe':
    case '.com':
      return { ...plan, file }
    case '.cmd':
    case '.bat':
      return throughCmd(plan, file, request)
    case '.ps1':
      throw new TypeError(
        `${file} is a script of PowerShell; start it with: powershell.exe -NoProfile -File ${basename(file)}`,
      )
  }
  const interpreter = interpreterOf(file, request)
  if (interpreter === undefined)
    throw new TypeError(`${file} is no program that Windows can start; start it with its interpreter`)
  return {
    ...plan,
    file: interpreter,
    args: [file, ...args],
    why: [...plan.why, `${basename(file)} is a script; it runs with ${interpreter}`],
  }
}

function takenFrom(
  { file, from }: { readonly file: string; readonly from: string },
  request: LaunchRequest,
): LaunchPlan {
  // Last: what it needs from beside it is found, and nothing in PATH is hidden.
  const env = withFolderInPath(request, pathsOf(request).dirname(file), 'last')
  const why = [`${request.command} is not in PATH; took ${file}, where ${from} puts programs`]
  return { file, args: request.args, options: { env }, why }
}

function withNodeFirst(plan: LaunchPlan, folder: string, why: string, machine: Machine): LaunchPlan {
  const env = withFolderInPath(machine, folder, 'first')
  return { ...plan, options: { ...plan.options, env }, why: [...plan.why, why] }
}

/** The command inside `cmd /c COMMAND ...`, a common way to write `npx` for Windows, where nothing needs cmd.exe. */
function insideCmd(request: LaunchRequest): LaunchRequest | undefined {
  const { command, args } = request
  if (!/^(.*\\)?cmd(\.exe)?$/i.test(command)) return undefined
  const index = args.findIndex(argument => /^\/c$/i.test(argument))
  if (index < 0 || !args.slice(0, index).every(argument => /^\/[dsq]$/i.test(argument))) return undefined
  const [inner, ...rest] = args.slice(index + 1)
  // Redirections, several commands and variables are what one takes cmd.exe for.
  if (inner === undefined || [inner, ...rest].some(argument => /[&|<>^%"]/.test(argument))) return undefined
  return { ...request, command: inner, args: rest }
}

function withoutCmd({ command }: LaunchRequest): string {
  return `started ${command} itself, without the cmd around it`
}

function isBare(command: string): boolean {
  return !/[\\:]/.test(command)
}

function findWindows(request: LaunchRequest): string | undefined {
  const { command, cwd } = request
  // Never in the working folder, as the system would: a program that lies there is not what a bare name means.
  if (isBare(command)) return findInPath(command, request)
  const { basename, dirname, resolve } = pathsOf(request)
  const path = resolve(cwd, command)
  return findInFolder(basename(path), dirname(path), request)
}

function shimOf(file: string | undefined, machine: Machine): Shim | undefined {
  return file !== undefined && /\.(cmd|bat)$/i.test(file) ? readShim(file, machine) : undefined
}

/** What the shim would start; undefined where that is no program that can be started without cmd.exe. */
function withoutShim(
  plan: LaunchPlan,
  shim: Shim,
  node: string | undefined,
  request: LaunchRequest,
): LaunchPlan | undefined {
  const { isAbsolute } = pathsOf(request)
  const file =
    shim.program === 'node'
      ? node
      : (shim.sibling ?? (isAbsolute(shim.program) ? shim.program : findInPath(shim.program, request)))
  if (file === undefined || !/\.(exe|com)$/i.test(file) || !request.files.isFile(file)) return undefined
  const args = [...shim.args.map(argument => newerNpm(argument, request)), ...request.args]
  if (Object.keys(shim.env).length === 0) return { ...plan, file, args }
  const env = { ...(plan.options?.env ?? request.env), ...shim.env }
  const before = variable(request, 'NODE_PATH')
  if (shim.env.NODE_PATH !== undefined && before !== undefined)
    env.NODE_PATH = `${shim.env.NODE_PATH};${before}`
  return { ...plan, file, args, options: { ...plan.options, env } }
}

/** The npm that comes with Node stands back behind one that was installed by `npm install --global npm`. */
function newerNpm(script: string, request: LaunchRequest): string {
  const { join } = pathsOf(request)
  const own = /\\(node_modules\\npm\\bin\\np[mx]-cli\.js)$/i.exec(script)?.[1]
  const [prefix] = npmPrefixes(request)
  if (own === undefined || prefix === undefined) return script
  const other = join(prefix, own)
  return request.files.isFile(other) ? other : script
}

function throughCmd(plan: LaunchPlan, file: string, request: LaunchRequest): LaunchPlan {
  const { join } = pathsOf(request)
  const root = variable(request, 'SYSTEMROOT') ?? 'C:\\Windows'
  const note = /^\\\\/.test(request.cwd)
    ? [
        `${file} is a batch file, which starts in ${root} rather than in ${request.cwd}: cmd.exe cannot work there`,
      ]
    : []
  return {
    ...plan,
    file: variable(request, 'COMSPEC') ?? join(root, 'System32', 'cmd.exe'),
    args: batchArguments(file, request.args),
    options: { ...plan.options, windowsVerbatimArguments: true },
    why: [...plan.why, ...note],
  }
}

/** Windows does not read `#!` lines; JavaScript is known by its name as well. */
function interpreterOf(file: string, request: LaunchRequest): string | undefined {
  const line = /^#!\s*(?:\S*\/env\s+)?(\S+)\s*$/m.exec(
    request.files.readText(file, 256)?.split('\n')[0] ?? '',
  )?.[1]
  const name = line?.split('/').at(-1) ?? (/\.[cm]?js$/i.test(file) ? 'node' : undefined)
  const found = name === undefined ? undefined : findInPath(name, request)
  return found !== undefined && /\.(exe|com)$/i.test(found) ? found : undefined
}

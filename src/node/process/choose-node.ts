/** Which Node a program gets: the one in PATH where it will do, otherwise one that is installed elsewhere. */

import { findInFolder, findInPath } from './find-command.js'
import type { Machine } from './machine.js'
import { type NodeInstallation, nodeInstallations, versionOfNode } from './node-installations.js'
import type { NodeRequirement, NodeRequirements } from './node-requirement.js'
import { compareVersions, formatVersion, parseVersion, satisfies, type Version } from './version-range.js'

/** Older ones are left in PATH only where the server asks for them, or nothing newer is found. Our own minimum. */
export const OLDEST_NODE = '20.19.0'

export interface ChosenNode {
  /** The folder of its executables. */
  readonly folder: string
  /** For people: what was chosen, and why. */
  readonly why: string
}

/**
 * Undefined where the node in PATH will do, or nothing better is found. `beside` is what must lie in the same folder
 * (`npx`); `current` the node that would run, undefined where there is none.
 */
export function chooseNode(
  current: string | undefined,
  beside: string,
  requirements: NodeRequirements,
  machine: Machine,
): ChosenNode | undefined {
  const complaint = complaintAbout(current, requirements, machine)
  const missing = complaint === undefined && findInPath(beside, machine) === undefined
  if (complaint === undefined && !missing) return undefined

  const candidates = nodeInstallations(machine).filter(
    ({ folder }) => findInFolder(beside, folder, machine) !== undefined,
  )
  const { best, because } = pick(candidates, requirements)
  if (best === undefined) return undefined
  // What cannot be told to be better does not push aside what is there.
  if (complaint !== undefined && current !== undefined && !isBetter(best, current, requirements, machine))
    return undefined
  const version = best.version === undefined ? 'a Node' : `Node ${formatVersion(best.version)}`
  const problem = complaint ?? `${beside} is not in PATH`
  return {
    folder: best.folder,
    why: `${problem}; took ${version} of ${best.from} (${best.folder}), ${because}`,
  }
}

/** What is wrong with the node in PATH; undefined where it will do, and where nothing is known about it. */
function complaintAbout(
  current: string | undefined,
  { engines, pinned }: NodeRequirements,
  machine: Machine,
): string | undefined {
  if (current === undefined) return 'node is not in PATH'
  const version = versionOfNode(current, machine)
  if (version === undefined) return undefined
  const it = `the node in PATH (${current}) is ${formatVersion(version)}`
  if (engines !== undefined)
    return meets(version, engines) ? undefined : `${it}, but ${engines.source} asks for ${engines.range}`
  if (pinned !== undefined && meets(version, pinned)) return undefined
  return compareVersions(version, parseVersion(OLDEST_NODE) as Version) >= 0
    ? undefined
    : `${it}, which is too old`
}

function pick(candidates: readonly NodeInstallation[], { engines, pinned }: NodeRequirements) {
  const known = candidates.filter(({ version }) => version !== undefined)
  const asked = [engines, pinned].filter(requirement => requirement !== undefined)
  // All that is asked for, or else what the package asks for, or else the newest.
  for (const wishes of [asked, asked.slice(0, 1)]) {
    const best = known.find(({ version }) => wishes.every(wish => meets(version as Version, wish)))
    if (wishes.length > 0 && best !== undefined) {
      const texts = wishes.map(({ source, range }) => `${source} asks for ${range}`)
      return { best, because: `the newest that will do: ${texts.join(', ')}` }
    }
  }
  const [best] = known.length > 0 ? known : candidates
  const unmet = asked.length === 0 ? '' : ` (none meets ${asked.map(({ range }) => range).join(' and ')})`
  return { best, because: `the newest of ${candidates.length} found${unmet}` }
}

function isBetter(
  { version }: NodeInstallation,
  current: string,
  { engines }: NodeRequirements,
  machine: Machine,
): boolean {
  const before = versionOfNode(current, machine)
  if (version === undefined || before === undefined) return false
  return engines === undefined ? compareVersions(version, before) > 0 : meets(version, engines)
}

function meets(version: Version, { range }: NodeRequirement): boolean {
  return satisfies(version, range) === true
}

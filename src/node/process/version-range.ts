/** Versions and ranges of them, as far as `engines` and version files use them (no prereleases). */

export type Version = readonly [major: number, minor: number, patch: number]

/** `v22.1.0`, `22.1.0_1`: what names of folders and files hold. Undefined for anything less than three numbers. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /^v?(\d{1,5})\.(\d{1,5})\.(\d{1,5})(?![\d.])/.exec(text.trim()) ?? []
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}

export function formatVersion(version: Version): string {
  return `v${version.join('.')}`
}

export function compareVersions(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

/** Undefined where the range is not understood. */
export function satisfies(version: Version, range: string): boolean | undefined {
  const alternatives = range.split('||').map(part => boundsOf(part))
  if (alternatives.includes(undefined)) return undefined
  return alternatives.some(bounds => bounds?.every(({ low, high }) => isWithin(version, low, high)))
}

/** From `low` on, up to but without `high`. */
interface Bounds {
  readonly low: Version
  readonly high: Version
}

const LOWEST: Version = [0, 0, 0]
const HIGHEST: Version = [Number.POSITIVE_INFINITY, 0, 0]

function isWithin(version: Version, low: Version, high: Version): boolean {
  return compareVersions(version, low) >= 0 && compareVersions(version, high) < 0
}

/** All of them must hold. */
function boundsOf(text: string): readonly Bounds[] | undefined {
  const hyphen = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(text)
  const words =
    hyphen === null ? text.replace(/([<>=^~])\s+/g, '$1').split(/\s+/) : [`>=${hyphen[1]}`, `<=${hyphen[2]}`]
  const bounds = words.filter(word => word !== '').map(comparator)
  return bounds.includes(undefined) ? undefined : (bounds as Bounds[])
}

function comparator(word: string): Bounds | undefined {
  const [, operator, major, minor, patch] =
    /^(\^|~>?|>=|<=|>|<|=)?v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+].*)?$/.exec(word) ?? []
  if (major === undefined) return undefined
  const a = numberOf(major)
  const b = a === undefined ? undefined : numberOf(minor)
  const c = b === undefined ? undefined : numberOf(patch)
  const low: Version = [a ?? 0, b ?? 0, c ?? 0]
  const after: Version =
    a === undefined
      ? HIGHEST
      : b === undefined
        ? [a + 1, 0, 0]
        : [a, b + (c === undefined ? 1 : 0), c === undefined ? 0 : c + 1]
  switch (operator) {
    case '>=':
      return { low, high: HIGHEST }
    case '>':
      return { low: after, high: HIGHEST }
    case '<':
      return { low: LOWEST, high: low }
    case '<=':
      return { low: LOWEST, high: after }
    case '^':
      return {
        low,
        high: a === undefined ? HIGHEST : a > 0 || b === undefined ? [a + 1, 0, 0] : [0, b + 1, 0],
      }
    case '~':
    case '~>':
      return { low, high: a === undefined ? HIGHEST : b === undefined ? [a + 1, 0, 0] : [a, b + 1, 0] }
    default:
      return { low, high: after }
  }
}

function numberOf(part: string | undefined): number | undefined {
  return part === undefined || /^[xX*]$/.test(part) ? undefined : Number(part)
}

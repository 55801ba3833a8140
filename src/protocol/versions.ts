/** The protocol revisions and their two eras. Specification: 2026-07-28 basic/versioning. */

export type Era = 'legacy' | 'modern'

/** Revisions that open with an `initialize` handshake, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
/** Stateless revisions, which describe themselves in each request's `_meta`, newest first. */
export const MODERN_VERSIONS = ['2026-07-28'] as const

export type LegacyVersion = (typeof LEGACY_VERSIONS)[number]
export type ModernVersion = (typeof MODERN_VERSIONS)[number]

export const LATEST_LEGACY: LegacyVersion = LEGACY_VERSIONS[0]
export const LATEST_MODERN: ModernVersion = MODERN_VERSIONS[0]

export function isLegacyVersion(version: unknown): version is LegacyVersion {
  return LEGACY_VERSIONS.includes(version as LegacyVersion)
}

export function isModernVersion(version: unknown): version is ModernVersion {
  return MODERN_VERSIONS.includes(version as ModernVersion)
}

/** Revisions are dates, so that a later one compares as greater. */
export function atLeast(version: string, minimum: LegacyVersion | ModernVersion): boolean {
  return version >= minimum
}

import { readFileSync } from 'node:fs'

/** Our own version, from the package's manifest. */
export function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

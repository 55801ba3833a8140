import type { Environment } from './environment.js'
import { SECRET_NAME } from './spawn-error.js'

/**
 * The values in a program's environment that are not for others: those under a name that says so, addresses with a password, and of those that
 * were `given` to this program alone all but plain words, numbers and paths.
 */
export function secretsOfEnvironment(environment: Environment, given: Environment): readonly string[] {
  const secrets = new Set<string>()
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && isSecret(name, value, Object.hasOwn(given, name))) secrets.add(value)
  return [...secrets]
}

function isSecret(name: string, value: string, isGiven: boolean): boolean {
  if (value.length < 4) return false
  if (SECRET_NAME.test(name) || /:\/\/[^/\s]*:[^/\s]*@/.test(value)) return true
  return isGiven && value.length >= 8 && !/^(?:[a-z]+|[\d.,:-]+|(?:~|\.{1,2})?\/.*|[a-z]:\\.*)$/i.test(value)
}

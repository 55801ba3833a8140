// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** What is wrong with how servers are written down. */

import type { Client } from '../../config/client.js'
import type { Problem } from '../../config/problem.js'
import type { UnresolvedEntry } from '../../config/server-entry.js'
import type { Place, Template } from '../../config/template.js'
import type { Finding } from './finding.js'

/** `at` is where a text stops being JSON, TOML or YAML; undefined where the file cannot be had at all. */
export function unreadable(file: string, message: string, at: Place | undefined): Finding {
  return {
    code: 'DOCTOR_CONFIG_UNREADABLE',
    severity: 'error',
    what: at === undefined ? message : `The file cannot be read: ${message}`,
    why: 'A client that cannot read its file has no servers at all',
    fix: at === undefined ? `Make ${file} a text file in UTF-8` : `Correct ${file}:${at.line}:${at.column}`,
    ...(at === undefined ? {} : { place: at }),
    hop: file,
  }
}

/** No key of the file is one under which any client has servers, or nearly one. */
export function noRootKey({ message, place }: Problem, file: string): Finding {
  return {
    code: 'DOCTOR_WRONG_ROOT_KEY',
    severity: 'error',
    what: `The file has ${message}`,
    why: 'Each client looks for its servers under one key of its file, and ignores all others',
    fix: `Put the servers of ${file} under "mcpServers" (VS Code: "servers"); anyport config add writes them where each client reads them`,
    place,
    hop: file,
  }
}

export function rootKey(
  at: Problem['place'],
  file: string,
  title: string,
  found: string,
  right: string,
): Finding {
  return {
    code: 'DOCTOR_WRONG_ROOT_KEY',
    severity: 'error',
    what: `The servers stand under "${found}", which ${title} does not read`,
    why: `${title} looks for them under "${right}" and ignores all else, without a word`,
    fix: `Rename "${found}" to "${right}" in ${file}:${at.line}`,
    place: at,
    hop: file,
  }
}

export function noServers(file: string, client: Client | undefined): Finding {
  return {
    code: 'DOCTOR_NO_SERVERS',
    severity: 'warning',
    what: 'There are no servers in this file',
    why: `${client?.title ?? 'A client'} that reads it has none`,
    fix: `anyport config add NAME --file ${file} -- COMMAND`,
    hop: file,
  }
}

function withoutServer(message: string): string {
  const rest = message.replace(/^server "(?:[^"\\]|\\.)*":? /, '')
  // Names of fields stay as they are.
  return rest.replace(
    /^(?:it|its|the|there|no|nothing)\b/,
    word => word.slice(0, 1).toUpperCase() + word.slice(1),
  )
}

export function fieldFinding({ severity, place, message }: Problem): Finding {
  return {
    code: 'DOCTOR_CONFIG_FIELD',
    severity,
    what: withoutServer(message),
    why:
      severity === 'error'
        ? 'Nothing can be started or called like that'
        : 'The client ignores it, or takes it for something else than was meant',
    fix: `Correct ${place.file}:${place.line}`,
    place,
    hop: place.file,
  }
}

export function unsetFinding({ place, message }: Problem): Finding {
  const [, variable] = /the variable (\S+) is not set$/.exec(message) ?? []
  const hasPlace = place.file !== 'configuration'
  const where = hasPlace ? ` in ${place.file}:${place.line}` : ''
  return {
    code: 'DOCTOR_VARIABLE_UNSET',
    severity: 'error',
    what: withoutServer(message),
    why: 'Clients leave it empty, or give the server the reference itself instead of a value; those started from a desktop do not have the variables of your terminal',
    fix:
      variable === undefined
        ? `Write the value itself${where}, or a reference that has one`
        : `Set it where the client starts (export ${variable}=...), or write its value${where}`,
    ...(hasPlace ? { place } : {}),
    hop: hasPlace ? place.file : undefined,
  }
}

/** What some client replaces, and this one takes for text. */
const REFERENCE = /\$\{(?:env:|input:)?[A-Za-z_][\w-]*\}|\{env:[A-Za-z_]\w*\}|\$\{\{[^{}]*\}\}/

export function unreplacedFinding(entry: UnresolvedEntry, client: Client | undefined): Finding | undefined {
  // Whoever writes $${ for anyport means it.
  if (client === undefined || client.universal) return undefined
  const { server } = entry
  const texts: readonly (readonly [string, Template])[] =
    server.kind === 'remote'
      ? [['url', server.url], ...Object.entries(server.headers)]
      : Object.entries(server.env)
  for (const [field, template] of texts) {
    for (const part of template) {
      const [reference] = typeof part === 'string' ? (REFERENCE.exec(part) ?? []) : []
      if (reference === undefined) continue
      const { example } = client.variables
      const name = /[A-Za-z_]\w*(?=\W*$)/.exec(reference)?.[0] ?? 'NAME'
      const where = entry.at === undefined ? '' : ` in ${entry.at.file}:${entry.at.line}`
      return {
        code: 'DOCTOR_VARIABLE_NOT_REPLACED',
        severity: 'error',
        what: `${field} holds ${reference}, which ${client.title} does not replace: the server gets these very characters`,
        why:
          example === undefined
            ? `${client.title} replaces no variables`
            : `${client.title} writes variables ${example}`,
        fix:
          example === undefined
            ? `Write the value itself${where}`
            : `Write ${example.replace('VAR', name)}${where}`,
        place: entry.at,
        hop: entry.at?.file,
      }
    }
  }
  return undefined
}

/** What `anyport doctor` finds: a closed list of causes, each with its place, its evidence and one way to mend it (docs/doctor.md). */

import type { Place } from '../../config/template.js'

/** Never renamed: programs read them. In the order in which they are looked for. */
export const DOCTOR_CODES = [
  // The configuration
  'DOCTOR_CONFIG_UNREADABLE',
  'DOCTOR_WRONG_ROOT_KEY',
  'DOCTOR_NO_SERVERS',
  'DOCTOR_CONFIG_FIELD',
  'DOCTOR_VARIABLE_UNSET',
  'DOCTOR_VARIABLE_NOT_REPLACED',
  // A program
  'DOCTOR_COMMAND_NOT_FOUND',
  'DOCTOR_COMMAND_NOT_STARTED',
  'DOCTOR_NODE_TOO_OLD',
  'DOCTOR_KILLED',
  'DOCTOR_OUT_OF_MEMORY',
  'DOCTOR_EXITED',
  'DOCTOR_STDOUT_CLOSED',
  'DOCTOR_STDOUT_NOISE',
  // The way to an address
  'DOCTOR_UNREACHABLE',
  'DOCTOR_PROXY',
  'DOCTOR_TLS_SELF_SIGNED',
  'DOCTOR_TLS_UNTRUSTED',
  'DOCTOR_TLS',
  // Who may call
  'DOCTOR_SIGN_IN',
  'DOCTOR_NO_RESOURCE_METADATA',
  'DOCTOR_RESOURCE_MISMATCH',
  'DOCTOR_TOKEN_REFUSED',
  'DOCTOR_HOST_REFUSED',
  'DOCTOR_FORBIDDEN',
  // What is there
  'DOCTOR_WRONG_TRANSPORT',
  'DOCTOR_WRONG_PATH',
  'DOCTOR_NOT_ACCEPTABLE',
  'DOCTOR_NOT_MCP',
  'DOCTOR_STATUS',
  'DOCTOR_SESSION_LOST',
  'DOCTOR_STALE_SESSION',
  'DOCTOR_CORS',
  'DOCTOR_BUFFERED',
  // Any server
  'DOCTOR_NO_ANSWER',
  'DOCTOR_HANDSHAKE',
  'DOCTOR_LIST_FAILED',
  'DOCTOR_FAILED',
] as const

export type DoctorCode = (typeof DOCTOR_CODES)[number]

/** All texts are one sentence or few, for people, and hold no secret once they are reported. */
export interface Finding {
  readonly code: DoctorCode
  /** A warning: it works here, and not with every client or not for ever. */
  readonly severity: 'error' | 'warning'
  /** What was seen. */
  readonly what: string
  /** What that means. */
  readonly why: string
  /** The one thing to do first: a command, or a change of a file. */
  readonly fix: string
  /** Where in a configuration, more exactly than where its server begins. */
  readonly place?: Place | undefined
  /** Which hop failed: the command, the address, the proxy, the file. */
  readonly hop?: string | undefined
  /** What a program ended with; 128 and the number of the signal where one ended it, as shells count. */
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  /** The HTTP status that was answered. */
  readonly status?: number | undefined
  /** The last lines that a program wrote to stderr, 20 at most. */
  readonly stderr?: readonly string[] | undefined
}

/** Where the cause is explained. */
export function docsOf(code: DoctorCode): string {
  return `docs/doctor.md#${code.toLowerCase()}`
}

/** What `anyport serve` does about definitions and arguments: guards around each server, and their words in the log. */

import { existsSync } from 'node:fs'
import type { GatewaySettings, ServerSettings } from '../config/server-entry.js'
import type { Middleware } from '../exchange/exchange.js'
import { printable } from '../exchange/printable.js'
import { SINGULAR } from '../middleware/exchange/definitions/kinds.js'
import type { DefinitionEvent } from '../middleware/exchange/pinned.js'
import type { SchemaEvent } from '../middleware/exchange/validate-arguments.js'
import type { FollowedPins } from '../node/follow-pins.js'
import { type Log, withFields } from '../node/log.js'
import { pinFilePath } from '../node/storage/pin-file-path.js'
import { type ParsedArguments, UsageError } from './arguments.js'
import { describeError } from './describe-error.js'
import { flagText } from './pin-report.js'
import type { SERVE_OPTIONS } from './serve-options.js'

type Options = ParsedArguments<typeof SERVE_OPTIONS>['options']

export interface Definitions {
  /** Loads what it takes for what goes directly around a server. */
  load(): Promise<(server: string, settings?: ServerSettings) => readonly Middleware[]>
  close(): void
}

export interface DefinitionsOptions {
  readonly options: Options
  readonly log: Log
  /** The configuration's file, where there is one, and what it says for all its servers. */
  readonly config?: { readonly file: string; readonly gateway: GatewaySettings } | undefined
  /** The modes that single servers have of their own. */
  readonly modes?: readonly (ServerSettings['pin'] | undefined)[]
}

/** Throws `UsageError` where definitions are to be compared and there is nothing to compare them with. */
export async function openDefinitions({
  options,
  log,
  config,
  modes = [],
}: DefinitionsOptions): Promise<Definitions> {
  const common = options.pin ?? config?.gateway.pin ?? 'off'
  const validates = options['validate-arguments'] || (config?.gateway.validateArguments ?? false)
  const file = options['pin-file'] ?? pinFilePath(config?.file)
  const isAsked = [common, ...modes].some(mode => mode === 'warn' || mode === 'strict')
  let pins: FollowedPins | undefined
  // A server may ask for it later, when its configuration changes.
  if (isAsked || existsSync(file)) pins = await followed(file, isAsked, log)
  if (!isAsked && pins !== undefined)
    log.info('pins_unused', `${file} has pinned definitions, and nothing is compared with them`, {
      option: '--pin',
    })
  return {
    async load() {
      const [{ pinned }, checks] = await Promise.all([
        import('../middleware/exchange/pinned.js'),
        // A server of a configuration may ask for it later, too.
        validates || config !== undefined
          ? import('../middleware/exchange/validate-arguments.js')
          : undefined,
      ])
      // Outermost first, and inside of all other guards: they share what they know of the server's lists.
      return (server, settings = {}) => {
        const own = server === '' ? log : withFields(log, { server })
        const onEvent = (event: DefinitionEvent | SchemaEvent) => logDefinition(own, event)
        const validate = (settings.validateArguments ?? validates) ? checks?.validateArguments : undefined
        return [
          ...(validate === undefined ? [] : [validate({ onEvent })]),
          pinned({ pins: pins?.of(server), mode: settings.pin ?? common, onEvent }),
        ]
      }
    },
    close: () => pins?.close(),
  }
}

async function followed(file: string, isAsked: boolean, log: Log): Promise<FollowedPins | undefined> {
  const { followPins } = await import('../node/follow-pins.js')
  try {
    return await followPins(file, {
      onChange: error => {
        if (error === undefined) log.info('pins_read', `${file} was read again`, { file })
        else
          log.error(
            'pins_broken',
            `The pinned definitions cannot be used, so what they said before goes on: ${describeError(error)}`,
            { file },
          )
      },
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    if (isAsked) throw new UsageError(`--pin: ${error.message}`)
    return undefined
  }
}

/** Names and texts are the server's: nothing of them may look like something else. */
function logDefinition(log: Log, event: DefinitionEvent | SchemaEvent): void {
  switch (event.type) {
    case 'definition-differs': {
      const { how, kind, members, blocked } = event
      const what = `${nameOf(event.kind, event.name)} ${DIFFERS[how]}`
      const then = blocked ? 'it is hidden, and refused' : 'it is passed on all the same'
      log.warn(
        'definition_differs',
        `${what}: ${then}. "anyport pin --check" shows it, "anyport pin --accept" takes it over`,
        {
          how,
          kind,
          name: event.name.slice(0, 256),
          members: members.slice(0, 20),
          blocked,
        },
      )
      break
    }
    case 'server-not-pinned':
      log.warn(
        'server_not_pinned',
        `Nothing of the server is pinned: ${event.blocked ? 'all it defines is hidden, and refused' : 'nothing is compared'}. "anyport pin" notes what it defines`,
        { blocked: event.blocked },
      )
      break
    case 'definition-flagged': {
      const { kind, flags } = event
      const [first] = flags
      if (first === undefined) break
      log.warn(
        'definition_flagged',
        `${nameOf(kind, event.name)} is not what one expects: ${flagText(first)}`,
        { kind, name: event.name.slice(0, 256), reasons: [...new Set(flags.map(({ reason }) => reason))] },
      )
      break
    }
    case 'schema-unusable':
      log.warn('schema_unusable', `Arguments of the tool ${event.tool} are not checked: ${event.why}`, {
        tool: event.tool,
      })
      break
    case 'patterns-unchecked':
      log.warn(
        'patterns_unchecked',
        `Some patterns of the tool ${event.tool} are not checked: they look around or back, are too long, or are none`,
        { tool: event.tool, patterns: event.patterns.slice(0, 20).map(text => text.slice(0, 256)) },
      )
      break
    case 'schemas-unknown':
      log.warn('schemas_unknown', `Arguments are not checked: ${describeError(event.error)}`)
  }
}

const DIFFERS = {
  changed: 'is not as it was pinned',
  added: 'was not pinned',
  duplicate: 'is listed more than once',
} as const

function nameOf(kind: keyof typeof SINGULAR, name: string): string {
  return kind === 'instructions'
    ? 'The text of the instructions'
    : `The ${SINGULAR[kind]} ${printable(name.slice(0, 256))}`
}

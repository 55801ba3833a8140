/** The command `anyport inspect`. */

import type { Questions, ServerClient } from '../client/server-client.js'
import type { ListedKind } from '../middleware/exchange/definitions/kinds.js'
import { createLog } from '../node/log.js'
import { RpcError } from '../protocol/errors.js'
import type { JSONObject } from '../protocol/message.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import { printOut } from './call-output.js'
import { calledArguments, calledServer, namesServer } from './called-server.js'
import { codeOfFailure, interruption } from './ending.js'
import { INSPECT_OPTIONS } from './inspect-options.js'
import { type Inspection, inspectionText } from './inspect-report.js'

/** 0: shown; 1: not all of it; 2: wrong use, or it cannot be reached; 130: interrupted. */
export async function inspectCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(INSPECT_OPTIONS, argv)
  const { options } = parsed
  const { called, words } = calledArguments(parsed)
  if (words.length > 0) {
    const command = [...words, ...(called.rest ?? [])].join(' ')
    throw new UsageError(`Put -- before the command: anyport inspect [options] -- ${command}`)
  }
  if (!namesServer(called))
    throw new UsageError('Which server? Write: anyport inspect URL, or anyport inspect -- COMMAND [ARGS...]')
  const log = createLog({ level: options['log-level'], format: options['log-format'] })
  const interrupted = interruption()
  const server = await calledServer(called, log, { questions: AS_CALL_DOES })
  try {
    const inspection = await inspected(server.name, server.client, options, interrupted.signal)
    await printOut(
      options.json ? `${JSON.stringify(inspection, undefined, 2)}\n` : inspectionText(inspection),
    )
    return inspection.problems.length === 0 ? 0 : 1
  } catch (error) {
    return interrupted.code() ?? codeOfFailure(error)
  } finally {
    await server.close()
    interrupted.release()
    await log.flush()
  }
}

/** Servers show by it what they have; nothing is called, so that nobody is asked. */
const AS_CALL_DOES: Questions = {
  elicitation: async () => ({ action: 'decline' }),
  roots: async () => [],
}

/** The capability without which a server has no such list. */
const CAPABILITIES: Readonly<Record<ListedKind, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resources',
}

async function inspected(
  target: string,
  client: ServerClient,
  options: OptionValues<typeof INSPECT_OPTIONS>,
  signal: AbortSignal,
): Promise<Inspection> {
  const description = await client.describe({ signal })
  const { capabilities } = description
  const kinds = kindsOf(options)
  const problems: Inspection['problems'][number][] = []
  const lists: Partial<Record<ListedKind, readonly JSONObject[]>> = {}
  for (const kind of kinds) {
    lists[kind] = []
    if (capabilities[CAPABILITIES[kind]] === undefined) continue
    try {
      lists[kind] = await client.list(kind, { signal })
    } catch (error) {
      // The rest is shown all the same.
      if (!(error instanceof RpcError)) throw error
      problems.push({ list: NAMES[kind], code: error.code, message: error.message })
    }
  }
  const { serverInfo, era, transport, protocolVersions, instructions } = description
  return {
    target,
    serverInfo: serverInfo ?? null,
    era: era ?? null,
    transport: transport ?? null,
    protocolVersions,
    capabilities,
    instructions: instructions ?? null,
    ...Object.fromEntries(kinds.map(kind => [NAMES[kind], lists[kind]])),
    problems,
  }
}

/** As the protocol names them. */
const NAMES = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resourceTemplates',
} as const satisfies Record<ListedKind, string>

function kindsOf({ tools, prompts, resources }: OptionValues<typeof INSPECT_OPTIONS>): readonly ListedKind[] {
  const all = !tools && !prompts && !resources
  return [
    ...(all || tools ? (['tools'] as const) : []),
    ...(all || prompts ? (['prompts'] as const) : []),
    ...(all || resources ? (['resources', 'templates'] as const) : []),
  ]
}

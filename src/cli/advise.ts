/** The command `anyport advise`: what to serve on, and how. */

import { placeToEdit, setServer } from '../config/edit-config.js'
import { writeServer } from '../config/write-server.js'
import { syntaxOf } from '../node/config/config-file.js'
import { clientFile } from '../node/config/config-places.js'
import { decide } from './advice.js'
import { type Advice, adviceText, type ClientEntry } from './advice-report.js'
import { type Setup, setUp, type Wishes } from './advice-setup.js'
import { ADVISE, ADVISE_OPTIONS } from './advise-options.js'
import { type Ask, completed } from './advise-questions.js'
import {
  type AdviseArguments,
  type AdviseOptions,
  clientOf,
  launcherOf,
  situationOf,
  wishesOf,
} from './advise-situation.js'
import { parseArguments } from './arguments.js'
import { askInput } from './ask-input.js'
import { entryOfCommandLine } from './config-entry.js'
import { CONFIG_OPTIONS } from './config-options.js'
import { userScope } from './config-targets.js'
import { commandHelp } from './help.js'

/** 0: advised; 2: wrong use, or nobody to ask. `ask` is for tests. */
export async function adviseCommand(argv: readonly string[], ask?: Ask): Promise<number> {
  const parsed = parseArguments(ADVISE_OPTIONS, argv)
  const isTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true
  const asking = ask ?? (isTerminal && !parsed.options.json ? askInput : undefined)
  if (argv.length === 0 && asking === undefined) {
    process.stderr.write(commandHelp(ADVISE))
    return 2
  }
  const advice = await advise(asking === undefined ? parsed : await completed(parsed, asking))
  process.stdout.write(parsed.options.json ? json(advice) : adviceText(advice))
  return 0
}

/** Throws `UsageError` for what does not go together. */
export async function advise(parsed: AdviseArguments): Promise<Advice> {
  const situation = situationOf(parsed)
  const decision = decide(situation)
  const wishes = wishesOf(parsed, situation)
  const done = setUp(situation, decision, wishes)
  const setup =
    parsed.rest === undefined ? { ...done, notes: [...exampleOf(done, wishes), ...done.notes] } : done
  return { situation, decision, setup, entry: await entryOf(setup, parsed.options) }
}

/** What stands for the command that was not given. */
function exampleOf({ steps, add }: Setup, { words }: Wishes): readonly string[] {
  const text = words.join(' ')
  const shown = [add, ...steps.map(({ command = [] }) => command)].some(line => line.join(' ').endsWith(text))
  return shown ? [`${text} stands for the command that starts your server: give it behind --.`] : []
}

/** By the very command that would write it. */
async function entryOf({ add }: Setup, options: AdviseOptions): Promise<ClientEntry> {
  const { client, clientId } = clientOf(options)
  const parsed = parseArguments(CONFIG_OPTIONS, add.slice(2))
  const [, name, url] = parsed.positionals
  const entry = entryOfCommandLine(name as string, url, parsed.rest, parsed.options)
  const { value, notes } = writeServer(entry, client, { launcher: launcherOf(options) })
  const syntax = await syntaxOf('', client.syntax)
  return {
    client,
    title: clientId === undefined ? 'Your client' : client.title,
    file:
      clientId === undefined
        ? undefined
        : clientFile(client, parsed.options.scope === 'project' ? 'project' : userScope(client)),
    text:
      value === undefined ? '' : setServer('', syntax, placeToEdit('', syntax, client), entry.name, value),
    // All transports are served, so that it does not matter which of them the client's word means.
    notes: notes.filter(
      ({ field, kind }) => kind === 'bridged' || (field !== 'server.transport' && field !== 'server'),
    ),
  }
}

function json({ situation, decision, setup, entry }: Advice): string {
  return `${JSON.stringify(
    {
      situation,
      transport: decision.choice,
      reasons: decision.reasons,
      against: decision.against,
      steps: setup.steps.map(({ title, command, code }) => ({ title, command, code })),
      client: {
        id: entry.client.id,
        file: entry.file,
        text: entry.text,
        add: setup.add,
        notes: entry.notes.map(({ kind, field, message }) => ({ kind, field, message })),
      },
      notes: setup.notes,
    },
    undefined,
    2,
  )}\n`
}

/** The command `anyport completion`. */

import { parseArguments, UsageError } from './arguments.js'
import { printOut } from './call-output.js'
import { type CompletedCommand, completedCommands } from './completed-commands.js'
import { SHELLS } from './completion-options.js'
import type { CommandSpec } from './help.js'

/** `specs` are those of all commands. */
export async function completionCommand(
  argv: readonly string[],
  specs: () => Promise<Readonly<Record<string, CommandSpec>>>,
): Promise<number> {
  const { positionals, rest } = parseArguments({}, argv)
  const [given, ...more] = positionals
  const shell = SHELLS.find(each => each === given)
  if (shell === undefined || more.length > 0 || rest !== undefined)
    throw new UsageError(`For which shell? Write: anyport completion ${SHELLS.join('|')}`)
  const script = await SCRIPTS[shell]()
  await printOut(script(completedCommands(await specs())))
  return 0
}

type Script = (commands: readonly CompletedCommand[]) => string

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], () => Promise<Script>>> = {
  bash: async () => (await import('./completion-bash.js')).bashCompletion,
  zsh: async () => (await import('./completion-zsh.js')).zshCompletion,
  fish: async () => (await import('./completion-fish.js')).fishCompletion,
}

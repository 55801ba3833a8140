#!/usr/bin/env node
/** The command `anyport`. Loads only what the command at hand needs: people wait for it, and so do clients. */

import { nearest } from '../config/nearest.js'
import { UsageError } from './arguments.js'
import type { CommandSpec } from './help.js'

interface Command {
  run(argv: readonly string[]): Promise<number>
  help(): Promise<CommandSpec>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  serve: {
    run: async argv => {
      // Twenty of these may run, and none of them needs what serves.
      if (mayShare(argv)) {
        const code = await (await import('./shared.js')).sharedCommand(argv)
        if (code !== undefined) return code
      }
      return await (await import('./serve.js')).serveCommand(argv)
    },
    help: async () => (await import('./serve-options.js')).SERVE,
  },
  connect: {
    run: async argv => {
      if (mayShare(argv)) {
        const code = await (await import('./shared.js')).sharedConnectCommand(argv)
        if (code !== undefined) return code
      }
      return await (await import('./connect.js')).connectCommand(argv)
    },
    help: async () => (await import('./connect-options.js')).CONNECT,
  },
  call: {
    run: async argv => (await import('./call.js')).callCommand(argv),
    help: async () => (await import('./call-options.js')).CALL,
  },
  inspect: {
    run: async argv => (await import('./inspect.js')).inspectCommand(argv),
    help: async () => (await import('./inspect-options.js')).INSPECT,
  },
  config: {
    run: async argv => (await import('./config.js')).configCommand(argv),
    help: async () => (await import('./config-options.js')).CONFIG,
  },
  advise: {
    run: async argv => (await import('./advise.js')).adviseCommand(argv),
    help: async () => (await import('./advise-options.js')).ADVISE,
  },
  doctor: {
    run: async argv => (await import('./doctor.js')).doctorCommand(argv),
    help: async () => (await import('./doctor-options.js')).DOCTOR,
  },
  audit: {
    run: async argv => (await import('./audit.js')).auditCommand(argv),
    help: async () => (await import('./audit.js')).AUDIT,
  },
  login: {
    run: async argv => (await import('./login.js')).loginCommand(argv),
    help: async () => (await import('./sign-in-options.js')).LOGIN,
  },
  logout: {
    run: async argv => (await import('./login.js')).logoutCommand(argv),
    help: async () => (await import('./sign-in-options.js')).LOGOUT,
  },
  whoami: {
    run: async argv => (await import('./login.js')).whoamiCommand(argv),
    help: async () => (await import('./sign-in-options.js')).WHOAMI,
  },
  pin: {
    run: async argv => (await import('./pin.js')).pinCommand(argv),
    help: async () => (await import('./pin-options.js')).PIN,
  },
  keys: {
    run: async argv => (await import('./keys.js')).keysCommand(argv),
    help: async () => (await import('./keys-options.js')).KEYS,
  },
  ps: {
    run: async argv => (await import('./ps.js')).psCommand(argv),
    help: async () => (await import('./background-options.js')).PS,
  },
  stop: {
    run: async argv => (await import('./stop.js')).stopCommand(argv),
    help: async () => (await import('./background-options.js')).STOP,
  },
  completion: {
    run: async argv => (await import('./completion.js')).completionCommand(argv, allHelp),
    help: async () => (await import('./completion-options.js')).COMPLETION,
  },
}

async function allHelp(): Promise<Readonly<Record<string, CommandSpec>>> {
  const specs = Object.entries(COMMANDS).map(async ([name, { help }]) => [name, await help()] as const)
  return Object.fromEntries(await Promise.all(specs))
}

/** 0: done; 1: it failed while it ran; 2: wrong use. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  switch (name) {
    case '--version':
    case '-v':
    case 'version':
      process.stdout.write(`${(await import('../node/version.js')).version()}\n`)
      return 0
    case undefined:
    case '--help':
    case '-h':
      return await help(undefined)
    case 'help':
      return await help(rest[0])
    // Started by clients of shared servers, not by people.
    case 'background':
      return await (await import('./background.js')).backgroundCommand()
    default: {
      const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
      if (command === undefined) {
        const what = name.startsWith('-') ? 'option' : 'command'
        throw new UsageError(`Unknown ${what} ${name}${hint(name)}`)
      }
      const asked = ownWords(rest)
      if (asked.includes('--help') || asked.includes('-h')) return await help(name)
      return await command.run(rest)
    }
  }
}

async function help(topic: string | undefined): Promise<number> {
  const { commandHelp, overview } = await import('./help.js')
  if (topic === undefined) {
    process.stdout.write(overview())
    return 0
  }
  const command = Object.hasOwn(COMMANDS, topic) ? COMMANDS[topic] : undefined
  if (command === undefined) throw new UsageError(`There is no command ${topic}${hint(topic)}`)
  process.stdout.write(commandHelp(await command.help()))
  return 0
}

function hint(name: string): string {
  const near = nearest(name, [...Object.keys(COMMANDS), 'help', 'version'])
  return near === undefined ? '' : `; did you mean ${near}?`
}

/** What is said to us, rather than to the program behind `--`. */
function ownWords(argv: readonly string[]): readonly string[] {
  return argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
}

function mayShare(argv: readonly string[]): boolean {
  return ownWords(argv).some(word => /^--(shared|linger)(=|$)/.test(word))
}

async function report(error: unknown, argv: readonly string[]): Promise<number> {
  const { describeError } = await import('./describe-error.js')
  const usage = error instanceof UsageError
  process.stderr.write(`anyport: ${describeError(error, { stack: isDebug(argv) })}\n`)
  if (usage) process.stderr.write(`Run "anyport help${topicOf(argv)}" to see what there is.\n`)
  return usage ? 2 : 1
}

function topicOf([command]: readonly string[]): string {
  return command !== undefined && Object.hasOwn(COMMANDS, command) ? ` ${command}` : ''
}

/** Read without the parser, which may be what failed. */
function isDebug(argv: readonly string[]): boolean {
  const index = argv.indexOf('--log-level')
  return argv.includes('--log-level=debug') || (index >= 0 && argv[index + 1] === 'debug')
}

const argv = process.argv.slice(2)
// Set rather than exit(): what was written to a pipe still has to leave.
process.exitCode = await main(argv).catch(error => report(error, argv))
// What is still open by then (a stdin that nobody ends) does not keep us.
setTimeout(() => process.exit(), 500).unref()

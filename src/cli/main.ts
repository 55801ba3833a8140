#!/usr/bin/env node
/** The command `anyport`. Loads only what the command at hand needs: people wait for it, and so do clients. */

import { nearest } from '../config/nearest.js'
import { UsageError } from './arguments.js'

const COMMANDS = ['serve', 'connect', 'login', 'logout', 'whoami', 'ps', 'stop', 'help', 'version'] as const

/** 0: done; 1: it failed while it ran; 2: wrong use. */
async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest
  switch (command) {
    case '--version':
    case '-v':
    case 'version':
      process.stdout.write(`${(await import('../node/version.js')).version()}\n`)
      return 0
    case undefined:
    case '--help':
    case '-h':
      return await help([])
    case 'help':
      return await help(rest)
    case 'serve':
      if (own.includes('--help') || own.includes('-h')) return await help(['serve'])
      // Twenty of these may run, and none of them needs what serves.
      if (own.some(word => /^--(shared|linger)(=|$)/.test(word))) {
        const code = await (await import('./shared.js')).sharedCommand(rest)
        if (code !== undefined) return code
      }
      return await (await import('./serve.js')).serveCommand(rest)
    case 'connect':
      if (own.includes('--help') || own.includes('-h')) return await help(['connect'])
      return await (await import('./connect.js')).connectCommand(rest)
    case 'login':
    case 'logout':
    case 'whoami': {
      if (own.includes('--help') || own.includes('-h')) return await help([command])
      const { loginCommand, logoutCommand, whoamiCommand } = await import('./login.js')
      return await { login: loginCommand, logout: logoutCommand, whoami: whoamiCommand }[command](rest)
    }
    case 'ps':
      if (own.includes('--help') || own.includes('-h')) return await help(['ps'])
      return await (await import('./ps.js')).psCommand(rest)
    case 'stop':
      if (own.includes('--help') || own.includes('-h')) return await help(['stop'])
      return await (await import('./stop.js')).stopCommand(rest)
    // Started by clients of shared servers, not by people.
    case 'background':
      return await (await import('./background.js')).backgroundCommand()
    default: {
      const near = nearest(command, COMMANDS)
      const hint = near === undefined ? '' : `; did you mean ${near}?`
      throw new UsageError(`Unknown ${command.startsWith('-') ? 'option' : 'command'} ${command}${hint}`)
    }
  }
}

async function help(topics: readonly string[]): Promise<number> {
  const { commandHelp, overview } = await import('./help.js')
  const [topic] = topics
  if (topic === undefined) process.stdout.write(overview())
  else if (topic === 'serve') process.stdout.write(commandHelp((await import('./serve-options.js')).SERVE))
  else if (topic === 'connect')
    process.stdout.write(commandHelp((await import('./connect-options.js')).CONNECT))
  else if (topic === 'login' || topic === 'logout' || topic === 'whoami') {
    const { LOGIN, LOGOUT, WHOAMI } = await import('./sign-in-options.js')
    process.stdout.write(commandHelp({ login: LOGIN, logout: LOGOUT, whoami: WHOAMI }[topic]))
  } else if (topic === 'ps') process.stdout.write(commandHelp((await import('./background-options.js')).PS))
  else if (topic === 'stop') process.stdout.write(commandHelp((await import('./background-options.js')).STOP))
  else {
    const near = nearest(topic, COMMANDS)
    throw new UsageError(`There is no command ${topic}${near === undefined ? '' : `; did you mean ${near}?`}`)
  }
  return 0
}

async function report(error: unknown, argv: readonly string[]): Promise<number> {
  const { describeError } = await import('./describe-error.js')
  const usage = error instanceof UsageError
  process.stderr.write(`anyport: ${describeError(error, { stack: isDebug(argv) })}\n`)
  if (usage) process.stderr.write(`Run "anyport help${topicOf(argv)}" to see what there is.\n`)
  return usage ? 2 : 1
}

function topicOf([command]: readonly string[]): string {
  return COMMANDS.slice(0, -2).some(known => known === command) ? ` ${command}` : ''
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

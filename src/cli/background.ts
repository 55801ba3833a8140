/** The command that clients of shared servers start: the background anyport. */

import { collectWhenIdle } from '../node/idle-collection.js'
import { createLog, type Log, type LogFields } from '../node/log.js'
import { logFileStream } from '../node/log-file.js'
import { type BackgroundEvent, type SharedSettings, startBackground } from '../node/shared/background.js'
import type { SharedEntry } from '../node/shared/entry.js'
import { secureFolder, sharedFolder } from '../node/shared/folder.js'
import { logFile } from '../node/shared/log-place.js'
import { places } from '../node/shared/places.js'
import { startEnded } from '../node/shared/start.js'
import { version } from '../node/version.js'
import { limitYoungGeneration } from '../node/young-generation.js'
import { type OptionValues, parseArguments } from './arguments.js'
import { noiseLog } from './log-noise.js'
import { logEvent, serveOptions } from './serve.js'
import { SERVE_OPTIONS } from './serve-options.js'
import { signInLog } from './sign-in-log.js'
import { logLaunch } from './target.js'

const LOG_SIZE = 1024 * 1024
const DRAIN_TIMEOUT = 5_000

/** Serves until nobody uses it or a signal; resolves with the exit code. */
export async function backgroundCommand(): Promise<number> {
  const folder = sharedFolder()
  secureFolder(folder)
  // Dates matter in a log of days, and the form for people has none.
  const log = createLog({
    format: 'json',
    output: logFileStream(logFile(folder), { maxSize: LOG_SIZE }),
    colors: false,
  })
  const own = version()
  process.on('uncaughtExceptionMonitor', error => log.error('crash', error.stack ?? error.message))
  let background: Awaited<ReturnType<typeof startBackground>>
  try {
    background = await startBackground({
      places: places(folder),
      version: own,
      settings,
      onEvent: eventLog(log, own),
    })
  } finally {
    startEnded(folder)
  }
  // Another one was quicker.
  if (background === undefined) return 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    let signals = 0
    process.on(signal, () => {
      if (++signals > 1) process.exit(1)
      log.info('draining', `${signal}: no new clients, open calls may finish`, { timeout: DRAIN_TIMEOUT })
      void background.stop(DRAIN_TIMEOUT)
    })
  }
  limitYoungGeneration()
  collectWhenIdle()
  await background.closed
  log.info('stopped', 'Stopped')
  await log.flush()
  return 0
}

/** The words of another version may lack what ours has: that has its default. */
function settings({ values, given }: SharedEntry['options']): SharedSettings {
  const defaults = parseArguments(SERVE_OPTIONS, []).options
  const options = { ...defaults, ...(values as Partial<OptionValues<typeof SERVE_OPTIONS>>) }
  return {
    serve: serveOptions({ options, given: new Set(given as readonly string[]) }),
    connect: { maxMessage: options['max-message'], maxDepth: options['max-depth'] },
  }
}

function eventLog(log: Log, own: string): (event: BackgroundEvent) => void {
  const noises = new Map<string, ReturnType<typeof noiseLog>>()
  return event => {
    switch (event.type) {
      case 'serving':
        return log.info('serving', 'Serving', { version: own, pid: process.pid })
      case 'retired':
        return log.info('retired', `No new clients: ${event.why}`)
    }
    const { server } = event
    const named = withFields(log, { server })
    switch (event.type) {
      case 'arrived':
        return named.info('client_arrived', 'A client came', { clients: event.clients })
      case 'left':
        if (event.clients === 0) noises.delete(server)
        return named.info('client_left', 'A client left', { clients: event.clients })
      case 'launch':
        return logLaunch(named, event.launch)
      case 'stderr':
        return named.info('server_stderr', event.line)
      case 'sign-in':
        return signInLog(named)(event.event)
      case 'event': {
        if (event.event.type !== 'noise') return logEvent(named, server, event.event)
        const noise = noises.get(server) ?? noiseLog(named)
        noises.set(server, noise)
        return noise(event.event)
      }
    }
  }
}

/** Records of one server among many. */
function withFields(log: Log, fields: LogFields): Log {
  const named =
    (write: Log['info']): Log['info'] =>
    (event, message, more) =>
      write(event, message, { ...fields, ...more })
  return {
    ...log,
    debug: named(log.debug),
    info: named(log.info),
    warn: named(log.warn),
    error: named(log.error),
  }
}

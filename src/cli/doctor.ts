/** The command `anyport doctor`. */

import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { nearest } from '../config/nearest.js'
import { clientFile, discoverConfig } from '../node/config/config-places.js'
import { useColors } from '../node/log.js'
import { type ParsedArguments, parseArguments, UsageError } from './arguments.js'
import { entryOfCommandLine } from './config-entry.js'
import { CONFIG_OPTIONS } from './config-options.js'
import { everyFile, named, readerOf, type Target, userScope } from './config-targets.js'
import { type Check, type CheckOptions, check } from './doctor/check.js'
import { jsonReport, summaryOf, textReport } from './doctor/report.js'
import type { Subject } from './doctor/subject.js'
import { subjectOfCommandLine, subjectsOfFile } from './doctor/subjects.js'
import { DOCTOR_OPTIONS } from './doctor-options.js'
import { wireOptions } from './remote-options.js'
import { usage } from './usage.js'

type Parsed = ParsedArguments<typeof DOCTOR_OPTIONS>

/** Servers that are looked at together. */
const MAX_TOGETHER = 8
/** Of the time of one server, what is kept for ending it: a program that ignores all but SIGKILL takes 2.5 s, and we some to begin. */
const ENDING = 4_000

/** 0: all is well; 1: there is an error or a warning; 2: wrong use. */
export async function doctorCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(DOCTOR_OPTIONS, argv)
  const { options } = parsed
  const subjects = await subjectsOf(parsed)
  const http = usage(() => wireOptions(options))
  const { timeout } = options
  const limits: CheckOptions = {
    limit: Math.max(timeout / 2, timeout - ENDING),
    http,
    signIn: options.credentials === undefined ? {} : { credentials: options.credentials },
  }
  const checks = await inParallel(subjects, subject => check(subject, limits))
  process.stdout.write(options.json ? jsonReport(checks) : report(checks))
  const { errors, warnings } = summaryOf(checks)
  return errors + warnings === 0 ? 0 : 1
}

function report(checks: readonly Check[]): string {
  if (checks.length === 0)
    return 'There are no servers where they are looked for: name a file, a command or an address.\n'
  return textReport(checks, useColors(process.stdout))
}

async function subjectsOf(parsed: Parsed): Promise<readonly Subject[]> {
  const { options, positionals, rest } = parsed
  const [address, ...more] = positionals
  const isUrl = address !== undefined && /^(?:https?|http\+unix):\/\//i.test(address)
  if (rest !== undefined || isUrl) {
    if (more.length > 0 || (rest !== undefined && address !== undefined))
      throw new UsageError('One server at a time: a command behind --, or an address')
    refuse(parsed, ['client', 'server', 'all'], 'is for the servers of files')
    refuse(
      parsed,
      isUrl ? ['env', 'env-file', 'cwd'] : ['header', 'transport'],
      isUrl ? 'is for a command' : 'is for an address',
    )
    const { options: standard } = parseArguments(CONFIG_OPTIONS, [])
    const { env, 'env-file': envFile, cwd, header, transport } = options
    const entry = entryOfCommandLine('server', isUrl ? address : undefined, rest, {
      ...standard,
      env,
      'env-file': envFile,
      cwd,
      header,
      transport,
    })
    return [await subjectOfCommandLine(entry)]
  }
  refuse(parsed, ['env', 'env-file', 'cwd', 'header', 'transport'], 'is for a server of the command line')
  if (more.length > 0)
    throw new UsageError(`Put -- before a command: anyport doctor -- ${positionals.join(' ')}`)
  const targets = filesOf(address, options)
  const sources = await Promise.all(targets.map(({ file, client }) => subjectsOfFile(file, { client })))
  // Of many files those without servers are no news.
  const subjects = sources.flatMap(source =>
    source.subjects.filter(
      ({ name, findings }) =>
        sources.length === 1 ||
        name !== undefined ||
        findings.some(({ code }) => code !== 'DOCTOR_NO_SERVERS'),
    ),
  )
  return options.server.length === 0 ? subjects : chosen(subjects, options.server)
}

function filesOf(file: string | undefined, options: Parsed['options']): readonly Target[] {
  const client = options.client === undefined ? undefined : named(options.client)
  if (file !== undefined) {
    if (options.all) throw new UsageError('--all is for all files: name none')
    const path = resolve(file)
    if (!existsSync(path)) throw new UsageError(missing(file))
    if (statSync(path).isDirectory()) throw new UsageError(`${file} is a folder: name a file in it`)
    return [{ file: path, client }]
  }
  if (options.all || client === undefined) {
    if (options.all && client !== undefined)
      throw new UsageError('--all is for all clients: leave out --client')
    const own = options.all ? undefined : discoverConfig()
    // What a file has for this folder alone is read with it.
    const every = () => everyFile().filter(({ folder }) => folder === undefined)
    return own === undefined ? every() : [{ file: own, client: undefined }]
  }
  const scopes = [userScope(client), 'project'] as const
  const found = [...new Set(scopes.map(scope => clientFile(client, scope)))].filter(
    path => path !== undefined && existsSync(path),
  ) as string[]
  if (found.length === 0)
    throw new UsageError(
      `${client.title} has no file with servers here: ${clientFile(client, userScope(client))} is not there`,
    )
  return found.map(path => ({ file: path, client: readerOf(client, path) }))
}

/** What is neither a file nor an address may be a command. */
function missing(file: string): string {
  return /[\\/.]/.test(file)
    ? `There is no file ${file}`
    : `There is no file ${file}; for a command write: anyport doctor -- ${file}`
}

function chosen(subjects: readonly Subject[], names: readonly string[]): readonly Subject[] {
  const known = subjects.flatMap(({ name }) => (name === undefined ? [] : [name]))
  for (const name of names) {
    if (known.includes(name)) continue
    // A file that cannot be read has no names.
    if (known.length === 0) return subjects
    const near = nearest(name, known)
    throw new UsageError(
      `There is no server ${JSON.stringify(name)}${near === undefined ? `: ${known.join(', ')}` : `; did you mean ${near}?`}`,
    )
  }
  return subjects.filter(({ name }) => name === undefined || names.includes(name))
}

function refuse({ given }: Parsed, names: readonly string[], why: string): void {
  const name = names.find(candidate => given.has(candidate))
  if (name !== undefined) throw new UsageError(`--${name} ${why}`)
}

/** In the order of the subjects, so many at once. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++)
      results[index] = await work(items[index] as T)
  }
  await Promise.all(Array.from({ length: Math.min(MAX_TOGETHER, items.length) }, worker))
  return results
}

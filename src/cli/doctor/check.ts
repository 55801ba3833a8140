/** Looks at one server: how it is written, then how it starts or answers. */

import type { ServerEntry } from '../../config/server-entry.js'
import { nameOfUrl } from '../../exchange/http-address.js'
import { nameOfCommand } from '../../node/process/spawn-error.js'
import { describeServer } from '../config-report.js'
import { diagnoseProgram } from './diagnose-program.js'
import { diagnoseRemote } from './diagnose-remote.js'
import type { Health } from './examine.js'
import type { Finding } from './finding.js'
import { type ProgramFacts, type ProgramProbe, probeProgram } from './probe-program.js'
import { probeRemote, type RemoteProbe } from './probe-remote.js'
import { type Redact, redactor, secretsOf } from './redact.js'
import type { Subject } from './subject.js'

export interface Check {
  readonly subject: Subject
  readonly status: 'healthy' | 'warning' | 'error' | 'skipped'
  /** What it took to find out, the ending included. */
  readonly milliseconds: number
  /** Why nothing was started or called. */
  readonly skipped: string | undefined
  /** What is started, repaired and with all values, or the address; undefined for what is no server. Without secrets. */
  readonly target: string | undefined
  /** What differs from what is written, so that it starts: what clients may not do. */
  readonly repairs: readonly string[]
  readonly health: Health | undefined
  /** The cause first. Without secrets. */
  readonly findings: readonly Finding[]
}

export type CheckOptions = Omit<RemoteProbe & ProgramProbe, 'file'>

/** Never rejects. */
export async function check(subject: Subject, options: CheckOptions): Promise<Check> {
  const started = performance.now()
  const found = await lookedAt(subject, options)
  return { ...found, milliseconds: Math.round(performance.now() - started) }
}

type Found = Omit<Check, 'milliseconds'>

async function lookedAt(subject: Subject, options: CheckOptions): Promise<Found> {
  const { written, entry, disabled } = subject
  const file = subject.file ?? `${process.cwd()}/anyport.json`
  const told = [written, entry].flatMap(one => (one === undefined ? [] : secretsOf(one.server, file)))
  const redact = redactor([...subject.secrets, ...told])
  const isWrong = subject.findings.some(isError)
  const seen = entry === undefined || isWrong ? undefined : await seenOf(entry, subject, { ...options, file })
  const standard = {
    skipped: disabled ? 'it is disabled' : undefined,
    target: written === undefined ? undefined : describeServer(written).target,
  }
  return report(subject, { findings: [], repairs: [], health: undefined, ...standard, ...seen }, redact)
}

type Seen = Pick<Found, 'findings' | 'target'> & Partial<Pick<Found, 'skipped' | 'repairs' | 'health'>>

async function seenOf(
  entry: ServerEntry,
  subject: Subject,
  options: CheckOptions & { readonly file: string },
): Promise<Seen> {
  const { server } = entry
  if (server.kind === 'stdio') {
    const facts = await probeProgram({ ...entry, server }, options)
    return {
      findings: diagnoseProgram(facts, subject),
      target: effective(facts),
      repairs: facts.launch?.why ?? [],
      health: healthOf(facts),
    }
  }
  const target = nameOfUrl(server.url)
  if (server.callerHeaders !== undefined || server.exchange !== undefined)
    return {
      findings: [],
      target,
      skipped: 'it is called with the credentials of each caller, and nobody calls',
    }
  const facts = await probeRemote({ ...entry, server }, options)
  return { findings: diagnoseRemote(facts, subject), target, health: healthOf(facts) }
}

function effective({ launch, command, args }: ProgramFacts): string {
  return nameOfCommand(launch?.file ?? command, launch?.args ?? args)
}

function healthOf({ outcome }: Pick<ProgramFacts, 'outcome'>): Health | undefined {
  return outcome.kind === 'healthy' ? outcome.health : undefined
}

function report(subject: Subject, seen: Omit<Found, 'subject' | 'status'>, redact: Redact): Found {
  const { target, health, skipped } = seen
  const all = [...subject.findings, ...seen.findings]
  const findings = [...all.filter(isError), ...all.filter(finding => !isError(finding))]
  const worst = findings.some(isError) ? 'error' : 'warning'
  return {
    subject,
    status: findings.length > 0 ? worst : skipped === undefined ? 'healthy' : 'skipped',
    skipped,
    target: target && redact.own(target),
    repairs: seen.repairs.map(redact.own),
    health: health && {
      ...health,
      serverName: health.serverName && redact.foreign(health.serverName),
      serverVersion: health.serverVersion && redact.foreign(health.serverVersion),
    },
    findings: findings.map(finding => redacted(finding, redact)),
  }
}

function isError({ severity }: Finding): boolean {
  return severity === 'error'
}

function redacted(finding: Finding, redact: Redact): Finding {
  const { what, why, fix, hop, stderr } = finding
  return {
    ...finding,
    what: redact.foreign(what),
    why: redact.own(why),
    fix: redact.own(fix),
    hop: hop && redact.own(hop),
    stderr: stderr?.map(line => redact.foreign(line).trimEnd()),
  }
}

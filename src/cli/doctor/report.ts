/** What was found, for people and for programs. */

import { printable } from '../../exchange/printable.js'
import { wrap } from '../help.js'
import type { Check } from './check.js'
import { seconds } from './examine.js'
import { docsOf, type Finding } from './finding.js'

export interface Summary {
  readonly servers: number
  readonly healthy: number
  readonly skipped: number
  readonly errors: number
  readonly warnings: number
}

export function summaryOf(checks: readonly Check[]): Summary {
  const findings = checks.flatMap(check => check.findings)
  return {
    servers: checks.filter(({ subject }) => subject.name !== undefined).length,
    healthy: checks.filter(({ status }) => status === 'healthy').length,
    skipped: checks.filter(({ status }) => status === 'skipped').length,
    errors: findings.filter(({ severity }) => severity === 'error').length,
    warnings: findings.filter(({ severity }) => severity === 'warning').length,
  }
}

/** Its shape is that of docs/doctor.md: members are added, and never change or go. */
export function jsonReport(checks: readonly Check[]): string {
  const summary = summaryOf(checks)
  const report = {
    ok: summary.errors + summary.warnings === 0,
    summary,
    checks: checks.map(({ subject, status, milliseconds, skipped, target, repairs, health, findings }) => ({
      server: subject.name ?? null,
      client: subject.client?.id ?? null,
      file: subject.file ?? null,
      line: subject.at?.line ?? null,
      status,
      milliseconds,
      skipped: skipped ?? null,
      target: target ?? null,
      repairs,
      health: health === undefined ? null : { ...health },
      findings: findings.map(finding => findingJson(finding, subject, target)),
    })),
  }
  return `${JSON.stringify(report, undefined, 2)}\n`
}

function findingJson(finding: Finding, { file, at }: Check['subject'], target: string | undefined) {
  const { code, severity, what, why, fix, hop, exitCode, signal, status, stderr, place } = finding
  return {
    code,
    severity,
    what,
    why,
    fix,
    docs: docsOf(code),
    file: place?.file ?? file ?? null,
    line: (place ?? at)?.line ?? null,
    command: target ?? null,
    hop: hop ?? null,
    exitCode: exitCode ?? null,
    signal: signal ?? null,
    status: status ?? null,
    stderr: stderr ?? [],
  }
}

const WIDTH = 100
const INDENT = 4
const LABEL = 8
/** Lines of stderr that people are shown. */
const MAX_STDERR = 8

const MARKS = { healthy: '✓', warning: '!', error: '✗', skipped: '-' } as const
const COLORS = { healthy: '32', warning: '33', error: '31', skipped: '2' } as const

export function textReport(checks: readonly Check[], colors: boolean): string {
  const paint = (code: string, text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text)
  const lines: string[] = []
  let file: string | undefined
  const width = Math.min(
    24,
    Math.max(0, ...checks.map(({ subject }) => printable(subject.name ?? '').length)),
  )
  for (const each of checks) {
    const { subject, status } = each
    if (subject.file !== undefined && subject.file !== file) {
      file = subject.file
      const title = subject.client?.universal ? undefined : subject.client?.title
      if (lines.length > 0) lines.push('')
      lines.push(`${paint('1', title ?? 'Configuration')}  ${printable(file)}`)
    }
    const name = printable(subject.name ?? 'the file itself')
    lines.push(
      `${paint(COLORS[status], MARKS[status])} ${paint('1', name.padEnd(width))}  ${factsOf(each)}`.trimEnd(),
    )
    for (const finding of each.findings) lines.push(...findingLines(finding, each, paint))
  }
  return `${[...lines, '', summaryLine(summaryOf(checks), paint)].join('\n')}\n`
}

type Paint = (code: string, text: string) => string

function factsOf({ health, skipped, findings }: Check): string {
  if (health === undefined) return findings.length > 0 ? '' : `skipped: ${skipped ?? ''}`
  const { era, transport, protocolVersion, serverName, serverVersion, milliseconds } = health
  const named = [serverName, serverVersion].filter(part => part !== undefined && part !== '').join(' ')
  return [
    ...(named === '' ? [] : [named]),
    transport,
    `${era}${protocolVersion === undefined ? '' : ` ${protocolVersion}`}`,
    count(health.tools, 'tool'),
    count(health.resources, 'resource'),
    count(health.prompts, 'prompt'),
    seconds(milliseconds),
  ].join(', ')
}

function findingLines(finding: Finding, { target, subject }: Check, paint: Paint): string[] {
  const { severity, code, what, why, fix, stderr = [], place } = finding
  const label = (word: string, text: string, color?: string): string[] => {
    const [first = '', ...more] = wrap(text, WIDTH - INDENT - LABEL)
    const head = word.padEnd(LABEL)
    return [
      `${' '.repeat(INDENT)}${color === undefined ? paint('2', head) : paint(color, head)}${first}`,
      ...more.map(line => ' '.repeat(INDENT + LABEL) + line),
    ]
  }
  const at = place ?? subject.at
  const shown = stderr.filter(line => line.trim() !== '').slice(-MAX_STDERR)
  return [
    ...label(severity, what, COLORS[severity]),
    ...label('why', why),
    ...label('fix', fix, '36'),
    ...(target === undefined ? [] : label('runs', target)),
    ...(at === undefined ? [] : label('at', `${at.file}:${at.line}`)),
    ...shown.map(
      (line, index) =>
        `${' '.repeat(INDENT)}${paint('2', (index === 0 ? 'stderr' : '').padEnd(LABEL))}| ${line.slice(0, 400)}`,
    ),
    ...label('more', `${code}, ${docsOf(code)}`),
  ]
}

function summaryLine({ servers, healthy, skipped, errors, warnings }: Summary, paint: Paint): string {
  const parts = [
    `${count(servers, 'server')}: ${healthy} healthy`,
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
    ...(errors === 0 ? [] : [paint('31', count(errors, 'error'))]),
    ...(warnings === 0 ? [] : [paint('33', count(warnings, 'warning'))]),
  ]
  return parts.join(', ')
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

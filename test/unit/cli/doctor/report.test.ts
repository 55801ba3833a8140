import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Check } from '../../../../src/cli/doctor/check.js'
import { DOCTOR_CODES, docsOf } from '../../../../src/cli/doctor/finding.js'
import { jsonReport, textReport } from '../../../../src/cli/doctor/report.js'
import { clientNamed } from '../../../../src/config/clients.js'

const docs = readFileSync(new URL('../../../../docs/doctor.md', import.meta.url), 'utf8')

describe('docs/doctor.md', () => {
  it('has every code, and no other', () => {
    const rows = [...docs.matchAll(/^\| <a id="([a-z_]+)"><\/a>`([A-Z_]+)` \| \S.* \| \S.* \|$/gm)]
    expect(rows.map(([, , code]) => code).sort()).toEqual([...DOCTOR_CODES].sort())
    for (const [, anchor, code] of rows)
      expect(docsOf(code as (typeof DOCTOR_CODES)[number])).toBe(`docs/doctor.md#${anchor}`)
  })

  it('has the JSON as it is', () => {
    const [, text = ''] = /```json\n([\s\S]*?)```/.exec(docs) ?? []
    const shown = JSON.parse(text)
    const real = JSON.parse(jsonReport(checks))
    expect(keysOf(real)).toEqual(keysOf(shown))
  })
})

const file = '/home/you/.cursor/mcp.json'
const subject = (name: string | undefined, line: number) => ({
  name,
  file,
  client: clientNamed('cursor'),
  at: { file, line, column: 5 },
  secrets: [],
  written: undefined,
  entry: undefined,
  disabled: false,
  findings: [],
})

const checks: readonly Check[] = [
  {
    subject: subject('files', 3),
    status: 'healthy',
    milliseconds: 480,
    skipped: undefined,
    target: 'npx files',
    repairs: [],
    health: {
      era: 'legacy',
      transport: 'stdio',
      protocolVersion: '2025-11-25',
      serverName: 'files',
      serverVersion: '1.0.0',
      milliseconds: 1312,
      tools: 1,
      resources: 2,
      prompts: 0,
    },
    findings: [],
  },
  {
    subject: subject('github', 7),
    status: 'error',
    milliseconds: 25,
    skipped: undefined,
    target: 'npx github',
    repairs: [],
    health: undefined,
    findings: [
      {
        code: 'DOCTOR_EXITED',
        severity: 'error',
        what: `It exited with code 1: ${'long '.repeat(40)}`,
        why: 'Because',
        fix: 'Do something',
        hop: 'npx github',
        exitCode: 1,
        stderr: ['first', '', 'boom'],
      },
    ],
  },
  {
    subject: { ...subject('off', 12), disabled: true },
    status: 'skipped',
    milliseconds: 0,
    skipped: 'it is disabled',
    target: 'npx off',
    repairs: [],
    health: undefined,
    findings: [],
  },
]

it('for people: what, why, fix, in lines that fit', () => {
  const text = textReport(checks, false)
  const lines = text.split('\n')
  expect(lines[0]).toBe(`Cursor  ${file}`)
  expect(lines[1]).toBe(
    '✓ files   files 1.0.0, stdio, legacy 2025-11-25, 1 tool, 2 resources, 0 prompts, 1.3 s',
  )
  expect(lines.every(line => line.length <= 100)).toBe(true)
  const order = [
    '✗ github',
    'error   It exited',
    'why     Because',
    'fix     Do something',
    'runs    npx github',
    'at      ',
    'stderr  | first',
    '        | boom',
    'more    DOCTOR_EXITED',
  ]
  const places = order.map(part => text.indexOf(part))
  expect(places).toEqual([...places].sort((a, b) => a - b))
  expect(places).not.toContain(-1)
  expect(text).toContain('- off     skipped: it is disabled')
  expect(lines.at(-2)).toBe('3 servers: 1 healthy, 1 skipped, 1 error')
  expect(text).not.toContain('\u001b')
  expect(textReport(checks, true)).toContain('\u001b[31m✗\u001b[0m')
})

it('for programs: what is not known is null', () => {
  const report = JSON.parse(jsonReport(checks))
  expect(report.ok).toBe(false)
  expect(report.summary).toEqual({ servers: 3, healthy: 1, skipped: 1, errors: 1, warnings: 0 })
  expect(report.checks[1].findings[0]).toMatchObject({
    code: 'DOCTOR_EXITED',
    file,
    line: 7,
    command: 'npx github',
    exitCode: 1,
    signal: null,
    status: null,
    stderr: ['first', '', 'boom'],
  })
  expect(JSON.parse(jsonReport([]))).toMatchObject({ ok: true, checks: [] })
})

/** The names of all members, wherever they stand. */
function keysOf(value: unknown): string[] {
  const keys = new Set<string>()
  const visit = (at: unknown, path: string) => {
    if (Array.isArray(at)) for (const item of at) visit(item, `${path}[]`)
    else if (typeof at === 'object' && at !== null)
      for (const [key, inner] of Object.entries(at)) {
        keys.add(`${path}.${key}`)
        visit(inner, `${path}.${key}`)
      }
  }
  visit(value, '')
  return [...keys].sort()
}

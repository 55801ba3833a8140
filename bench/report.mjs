/** Medians over the passes of all rounds, ratios within a pass, and the targets. */

import { yardsticks } from './lanes.mjs'
import { median } from './measures.mjs'

/** Each: what it is, the value, the bound, and whether more or less is wanted. Ratios are to the forwarder with the same requests, in the same pass. */
const TARGETS = [
  { text: 'requests/s, 64 connections', of: ['rps64', 'rps'], relative: true, least: 0.85 },
  { text: 'MiB/s, 8 MiB results', of: ['payload8', 'mibps'], relative: true, least: 0.85 },
  { text: 'events/s', of: ['events', 'eps'], relative: true, least: 2 },
  { text: 'events lost', of: ['events', 'lost'], worst: true, most: 0 },
  { text: 'first answer, ms', of: ['start', 'ms'], relative: true, most: 1.5 },
  { text: 'idle stream and session, KiB', of: ['memory', 'stream'], most: 25 },
]
const JUDGED = ['anyport-legacy', 'anyport-modern']
/**
 * Requests/s to those of what a lane is compared to: a server of an SDK in one process with anyport, to the SDK's own way to serve the same; a face
 * with all guards, to the same without.
 */
const OF_OWN = {
  'guarded-legacy': 0.85,
  'guarded-modern': 0.85,
  'from-v1-legacy': 1,
  'from-v1-modern': 1,
  'from-v2-legacy': 2,
  'from-v2-modern': 2,
}

/** The values of one lane over the passes that have them. */
function values(rows, lane, [measure, field]) {
  return rows.map(row => row[lane]?.[measure]?.[field]).filter(value => value !== undefined)
}

function ratios(rows, lane, base, [measure, field]) {
  return rows.flatMap(row => {
    const value = row[lane]?.[measure]?.[field]
    const unit = row[base]?.[measure]?.[field]
    return value === undefined || !(unit > 0) ? [] : [value / unit]
  })
}

const middle = list => (list.length === 0 ? undefined : median(list))

/** Everything as numbers: per lane, measure and field the median, and the median ratios to its yardsticks. */
export function summarise(rows) {
  const summary = {}
  for (const row of rows) {
    for (const [lane, measures] of Object.entries(row)) {
      const { raw, forwarder } = yardsticks(lane)
      for (const [measure, fields] of Object.entries(measures)) {
        for (const field of Object.keys(fields)) {
          summary[lane] ??= {}
          summary[lane][measure] ??= {}
          const path = [measure, field]
          summary[lane][measure][field] ??= {
            median: middle(values(rows, lane, path)),
            toRaw: middle(ratios(rows, lane, raw, path)),
            toForwarder: middle(ratios(rows, lane, forwarder, path)),
          }
        }
      }
    }
  }
  return summary
}

export function printReport(rows, lanes, print) {
  const summary = summarise(rows)
  const table = (title, measure, columns) => {
    const rows = lanes.filter(lane => summary[lane]?.[measure] !== undefined)
    if (rows.length === 0) return
    print(`\n${title}`)
    const header = ['', ...columns.map(([name]) => name)]
    const body = rows.map(lane => [
      lane,
      ...columns.map(([, field, format, kind = 'median']) => {
        const value = summary[lane][measure][field]?.[kind]
        return value === undefined ? '-' : format(value)
      }),
    ])
    const widths = header.map((_, index) => Math.max(...[header, ...body].map(row => row[index].length)))
    for (const row of [header, ...body]) {
      print(
        row
          .map((cell, index) => (index === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[index])))
          .join('  '),
      )
    }
  }
  for (const connections of [1, 16, 64]) {
    table(`requests, ${connections} connection${connections === 1 ? '' : 's'}`, `rps${connections}`, [
      ['req/s', 'rps', whole],
      ['/raw', 'rps', ratio, 'toRaw'],
      ['/forwarder', 'rps', ratio, 'toForwarder'],
      ['p50 ms', 'p50', fine],
      ['p99 ms', 'p99', fine],
      ['CPU ms/1000', 'cpu', tenth],
      ['/raw', 'cpu', ratio, 'toRaw'],
      ['/forwarder', 'cpu', ratio, 'toForwarder'],
      ['product busy', 'productBusy', percent],
      ['generator busy', 'generatorBusy', percent],
    ])
  }
  for (const mib of [1, 8]) {
    table(`results of ${mib} MiB`, `payload${mib}`, [
      ['MiB/s', 'mibps', whole],
      ['/raw', 'mibps', ratio, 'toRaw'],
      ['/forwarder', 'mibps', ratio, 'toForwarder'],
    ])
  }
  table('progress notifications in one call', 'events', [
    ['sent', 'count', whole],
    ['events/s', 'eps', whole],
    ['/raw', 'eps', ratio, 'toRaw'],
    ['/forwarder', 'eps', ratio, 'toForwarder'],
    ['lost', 'lost', whole],
  ])
  table('memory, KiB each', 'memory', [
    ['sessions', 'sessions', whole],
    ['session', 'session', tenth],
    ['child per session', 'sessionEcho', tenth],
    ['idle streams', 'streams', whole],
    ['idle stream', 'stream', tenth],
  ])
  table('start to first answer', 'start', [
    ['ms', 'ms', whole],
    ['/raw', 'ms', ratio, 'toRaw'],
    ['/forwarder', 'ms', ratio, 'toForwarder'],
  ])
}

/** The targets that this run can judge: `{ lane, text, value, bound, met }`, `met` undefined where nothing was measured. */
export function judge(rows, lanes, measures) {
  const verdicts = []
  for (const lane of JUDGED.filter(name => lanes.includes(name))) {
    for (const { text, of, relative, worst, least, most } of TARGETS) {
      if (!measures.some(measure => of[0].startsWith(measure))) continue
      const list = relative ? ratios(rows, lane, yardsticks(lane).forwarder, of) : values(rows, lane, of)
      const value = list.length === 0 ? undefined : worst ? Math.max(...list) : median(list)
      const bound =
        least !== undefined
          ? `>= ${least}${relative ? ' of the forwarder' : ''}`
          : `<= ${most}${relative ? ' of the forwarder' : ''}`
      const met = value === undefined ? undefined : least !== undefined ? value >= least : value <= most
      verdicts.push({ lane, text, value, bound, met })
    }
  }
  for (const lane of Object.keys(OF_OWN).filter(name => lanes.includes(name))) {
    if (!measures.includes('rps')) continue
    const own = yardsticks(lane).forwarder
    const list = ratios(rows, lane, own, ['rps64', 'rps'])
    const value = list.length === 0 ? undefined : median(list)
    const met = value === undefined ? undefined : value >= OF_OWN[lane]
    const bound = `>= ${OF_OWN[lane]} of ${own}`
    verdicts.push({ lane, text: 'requests/s, 64 connections', value, bound, met })
  }
  return verdicts
}

/** The modern lane beside a forwarder that has less to read: no target, since it compares different requests. */
export function printAside(rows, lanes, measures, print) {
  if (!measures.includes('rps') || !lanes.includes('forwarder') || !lanes.includes('anyport-modern')) return
  const value = middle(ratios(rows, 'anyport-modern', 'forwarder', ['rps64', 'rps']))
  if (value === undefined) return
  print(
    `\nanyport-modern makes ${value.toFixed(2)} of the requests/s at 64 connections that the forwarder makes of shorter, legacy requests`,
  )
}

export function printVerdicts(verdicts, print) {
  if (verdicts.length === 0) return
  print('\ntargets')
  for (const { lane, text, value, bound, met } of verdicts) {
    const word = met === undefined ? 'not measured' : met ? 'met' : 'MISSED'
    const measured = value === undefined ? '-' : value.toFixed(2)
    print(`${word.padEnd(12)}  ${lane.padEnd(14)}  ${text.padEnd(28)}  ${measured.padStart(8)}  (${bound})`)
  }
}

const whole = value => Math.round(value).toLocaleString('en-US')
const tenth = value => value.toFixed(1)
const fine = value => value.toFixed(value < 10 ? 2 : 1)
const ratio = value => value.toFixed(2)
const percent = value => `${Math.round(value * 100)} %`

/** The command `anyport ps`. */

import { existsSync } from 'node:fs'
import { printable } from '../exchange/printable.js'
import { secureFolder, sharedFolder } from '../node/shared/folder.js'
import { type Listed, listBackgrounds } from '../node/shared/list.js'
import { places } from '../node/shared/places.js'
import { version } from '../node/version.js'
import { parseArguments, UsageError } from './arguments.js'
import { PS_OPTIONS } from './background-options.js'

export async function psCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals, rest } = parseArguments(PS_OPTIONS, argv)
  if (positionals.length > 0 || rest !== undefined) throw new UsageError('anyport ps takes options only')
  const listed = await backgrounds()
  process.stdout.write(options.json ? `${JSON.stringify(listed.map(asJson), undefined, 2)}\n` : table(listed))
  return 0
}

async function backgrounds(): Promise<readonly Listed[]> {
  const folder = sharedFolder()
  if (!existsSync(folder)) return []
  secureFolder(folder)
  return listBackgrounds(places(folder), version())
}

function asJson({ place, status }: Listed) {
  return status ?? { pid: place.pid, state: 'silent', socket: place.file }
}

function table(listed: readonly Listed[]): string {
  if (listed.length === 0) return 'No background anyport runs.\n'
  const now = Date.now()
  return listed
    .map(({ place, status }) => {
      if (status === undefined) return `process ${place.pid} does not answer; its socket is ${place.file}\n`
      const { servers } = status
      const head = `process ${status.pid}, version ${status.version}, ${STATES[status.state]}, up ${age(now - status.since)}, ${status.socket}\n`
      if (servers.length === 0) return `${head}  no servers\n`
      const rows = [
        ['CLIENTS', 'CHILDREN', 'CALLS', 'UP', 'SERVER'],
        ...servers.map(({ name, clients, children, calls, since }) => [
          String(clients),
          String(children),
          String(calls),
          age(now - since),
          printable(name),
        ]),
      ]
      const widths = [0, 1, 2, 3].map(column => Math.max(...rows.map(row => (row[column] as string).length)))
      return (
        head +
        rows
          .map(row => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`)
          .join('')
      )
    })
    .join('\n')
}

const STATES = {
  starting: 'starting',
  serving: 'serving',
  retired: 'replaced (ends with its clients)',
} as const

/** The two largest units: `3h 12m`. */
function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

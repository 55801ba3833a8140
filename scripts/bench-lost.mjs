/** Fails if anyport lost a notification in any round of a benchmark report, or was not measured at all. */

import { readFileSync } from 'node:fs'

const { rounds } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const events = rounds.flatMap(round =>
  Object.entries(round)
    .filter(([lane, { events }]) => lane.startsWith('anyport') && events !== undefined)
    .map(([lane, { events }]) => ({ lane, lost: events.lost })),
)
if (events.length === 0) throw new Error('The report holds no measure of notifications for anyport')
for (const { lane, lost } of events) if (lost !== 0) console.error(`${lane} lost ${lost} notifications`)
process.exitCode = events.some(({ lost }) => lost !== 0) ? 1 : 0

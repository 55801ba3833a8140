/** Fails if anyport lost a notification in any round of a benchmark report, or was not measured at all. */

import { readFileSync } from 'node:fs'

const { rounds } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const measured = rounds
  .flatMap(round => Object.entries(round))
  .filter(([lane, { events }]) => lane.startsWith('anyport') && events !== undefined)
  .map(([lane, { events }]) => ({ lane, lost: events.lost }))
if (measured.length === 0) throw new Error('The report holds no measure of notifications for anyport')

const losses = measured.filter(({ lost }) => lost !== 0)
for (const { lane, lost } of losses) console.error(`${lane} lost ${lost} notifications`)
if (losses.length === 0) console.log(`anyport lost nothing in ${measured.length} measures of notifications`)
process.exitCode = losses.length === 0 ? 0 : 1

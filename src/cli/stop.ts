/** The command `anyport stop`. */

import { existsSync } from 'node:fs'
import { secureFolder, sharedFolder } from '../node/shared/folder.js'
import { listBackgrounds, stopBackground } from '../node/shared/list.js'
import { places as placesIn } from '../node/shared/places.js'
import { version } from '../node/version.js'
import { parseArguments, UsageError } from './arguments.js'
import { STOP_OPTIONS } from './background-options.js'

export async function stopCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals, rest } = parseArguments(STOP_OPTIONS, argv)
  if (positionals.length > 0 || rest !== undefined) throw new UsageError('anyport stop takes options only')
  const folder = sharedFolder()
  const own = version()
  const places = placesIn(folder)
  if (existsSync(folder)) secureFolder(folder)
  const listed = existsSync(folder) ? await listBackgrounds(places, own) : []
  const wanted = listed.filter(({ place }) => options.all || !place.retired)
  if (wanted.length === 0) {
    const others = listed.length === 0 ? '' : '; --all also stops those that were replaced'
    process.stdout.write(`No background anyport serves${others}.\n`)
    return 0
  }
  const ends = await Promise.all(
    wanted.map(async one => {
      const { pid } = one.place
      const ended =
        one.status !== undefined &&
        (await stopBackground(one, places, { version: own, drainTimeout: options['drain-timeout'] }))
      if (ended) process.stdout.write(`Stopped process ${pid}.\n`)
      else process.stderr.write(`anyport: process ${pid} does not answer; end it with: kill -9 ${pid}\n`)
      return ended
    }),
  )
  return ends.every(ended => ended) ? 0 : 1
}

import { mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createLog } from '../../../src/node/log.js'
import { logFileStream } from '../../../src/node/log-file.js'

const newFolder = () => mkdtempSync(join(tmpdir(), 'anyport-'))

it('is its owner’s alone, continues what is there, and never grows beyond twice its size', async () => {
  const folder = newFolder()
  const file = join(folder, 'log')
  for (let run = 0; run < 3; run++) {
    const output = logFileStream(file, { maxSize: 10_000 })
    const log = createLog({ format: 'json', output })
    for (let line = 0; line < 100; line++) log.info('event', `run ${run} line ${line}`)
    await log.flush()
    output.destroy()
  }
  expect(readdirSync(folder).toSorted()).toEqual(['log', 'log.1'])
  for (const name of readdirSync(folder)) {
    const { mode, size } = statSync(join(folder, name))
    expect([mode & 0o777, size <= 10_000]).toEqual([0o600, true])
  }
  const lines = `${readFileSync(`${file}.1`, 'utf8')}${readFileSync(file, 'utf8')}`.trim().split('\n')
  const numbers = lines.map(line => {
    const [, run, index] = /run (\d) line (\d+)/.exec(JSON.parse(line).message) ?? []
    return Number(run) * 100 + Number(index)
  })
  expect(numbers).toEqual(Array.from({ length: lines.length }, (_, index) => 300 - lines.length + index))
  expect(lines.length).toBeGreaterThan(100)
})

it.each([
  [
    'a full disk',
    () => {
      const file = join(newFolder(), 'log')
      symlinkSync('/dev/full', file)
      return file
    },
  ],
  ['a missing folder', () => join(newFolder(), 'no', 'log')],
])('%s stops nobody', async (_, fileIn) => {
  const log = createLog({ output: logFileStream(fileIn(), { maxSize: 1_000 }) })
  for (let line = 0; line < 100; line++) log.info('event', 'a line that is lost')
  await log.flush()
})

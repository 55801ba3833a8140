import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { runChaos } from '../fixtures/chaos.mjs'
import { ANYPORT } from './start-anyport.js'

/** `npm run chaos` goes on for a minute. */
test('servers die in all ways under load, and no call hangs, is mixed up or runs twice', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const report = await runChaos({ seconds: 8, seed })
  expect(report.violations, JSON.stringify(report, undefined, 2)).toEqual([])
  // That there was something to hold against.
  expect(report.results).toBeGreaterThan(100)
  expect(Object.keys(report.deaths)).toHaveLength(4)
}, 180_000)

test('where a server cannot be started, those before it do not stay, and nothing of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-no-chaos-'))
  const anyport = join(folder, 'anyport.mjs')
  // The second one that is started.
  const refusal = "if (process.argv.includes('--isolation')) process.exit(3)"
  writeFileSync(anyport, `${refusal}\nawait import(${JSON.stringify(pathToFileURL(ANYPORT).href)})\n`)
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    const began = performance.now()
    await expect(runChaos({ seconds: 1, seed: 1, anyport })).rejects.toThrow('anyport ended with 3')
    // Far less than a start may take: it is seen at once.
    expect(performance.now() - began).toBeLessThan(20_000)
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
  expect(readdirSync(folder)).toEqual(['anyport.mjs'])
  expect(processesIn(folder)).toEqual([])
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

/** Those that were told to put their sockets into a folder below. */
function processesIn(folder: string): readonly string[] {
  return readdirSync('/proc').filter(id => {
    try {
      return (
        /^\d+$/.test(id) &&
        readFileSync(`/proc/${id}/environ`, 'latin1').includes(`XDG_RUNTIME_DIR=${folder}`)
      )
    } catch {
      // It ended meanwhile, or is somebody else's.
      return false
    }
  })
}

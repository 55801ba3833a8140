/** docs/call.md: what it shows is what happens. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { runAnyport, stopAll } from '../fixtures/run-anyport.js'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const EVERYTHING = path('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const text = readFileSync(path('../../docs/call.md'), 'utf8')

/** Commands with what follows them. */
const examples = [...text.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .filter(Boolean)
    .map(example => {
      const end = example.indexOf('\n')
      return [example.slice(0, end), example.slice(end + 1)] as const
    }),
)

afterEach(stopAll)

test('has examples', () => {
  expect(examples.length).toBeGreaterThan(4)
})

test('each command prints what stands below it', async () => {
  const printed = await Promise.all(
    examples.map(async ([line]) => {
      const words = line
        .replace('npx -y @modelcontextprotocol/server-everything', `${process.execPath} ${EVERYTHING} stdio`)
        .split(' ')
      expect(words.shift()).toBe('anyport')
      const run = runAnyport(...words)
      run.process.stdin.end()
      const code = await run.exited
      return [line, code === 0 ? run.stdout() : `${run.stderr()}[exit code ${code}]\n`]
    }),
  )
  expect(printed).toEqual(examples)
})

test('the program prints what it says', async () => {
  const [, program = ''] = /```js\n(.*?)```/s.exec(text) ?? []
  const folder = mkdtempSync(join(tmpdir(), 'call-document-'))
  try {
    const file = join(folder, 'program.mjs')
    const here = program
      .replace(
        "from 'anyport'",
        `from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}`,
      )
      .replace("command: 'npx'", `command: ${JSON.stringify(process.execPath)}`)
      .replace("['-y', '@modelcontextprotocol/server-everything']", JSON.stringify([EVERYTHING, 'stdio']))
    writeFileSync(file, here)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 })
    const said = [...program.matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => line)
    expect(said.length).toBeGreaterThan(2)
    expect(stdout).toBe(`${said.join('\n')}\n`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

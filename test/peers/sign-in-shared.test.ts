/**
 * Eight processes that share one sign-in with tokens of two seconds and rotating refresh tokens: nobody sees an error, no refresh token
 * is used twice, and one person is asked once. ANYPORT_SIGN_IN_SECONDS sets how long (default 10).
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { authorizationFixture, type Fixture } from '../fixtures/authorization-server.js'

const PROCESSES = 8
const LIFETIME = 2_000
const SECONDS = Number(process.env.ANYPORT_SIGN_IN_SECONDS ?? 10)
const BROWSER = fileURLToPath(new URL('../fixtures/browser.mjs', import.meta.url))
const CALLER = fileURLToPath(new URL('../fixtures/signed-caller.mjs', import.meta.url))

interface Outcome {
  readonly calls: number
  readonly errors: readonly string[]
  readonly events: readonly string[]
  readonly tokens: readonly string[]
}

let folder: string
let log: string
let fixture: Fixture

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  log = join(folder, 'browser.log')
  writeFileSync(log, '')
  fixture = await authorizationFixture({ lifetime: LIFETIME })
})

afterEach(() => fixture.close())

function visits(): readonly string[] {
  return readFileSync(log, 'utf8').split('\n').filter(Boolean)
}

function startCaller(milliseconds: number, onSignedIn = () => {}): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    [CALLER, fixture.url.href, join(folder, 'sign-ins'), String(milliseconds)],
    {
      env: { ...process.env, BROWSER: `${process.execPath} ${BROWSER} ${log}` },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    },
  )
  child.once('message', onSignedIn)
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(JSON.parse(stdout))
      else reject(new Error(`A caller ended with ${code}: ${stderr}`))
    })
  })
}

it(
  'stays signed in',
  async () => {
    const outcomes = await Promise.all(Array.from({ length: PROCESSES }, () => startCaller(SECONDS * 1_000)))
    expect(outcomes.flatMap(({ errors }) => errors)).toEqual([])
    expect(Math.min(...outcomes.map(({ calls }) => calls))).toBeGreaterThan(SECONDS)
    expect(fixture.log.reuses).toBe(0)
    expect(visits()).toHaveLength(1)
    expect(outcomes.flatMap(({ events }) => events).filter(type => type === 'auth-required')).toHaveLength(1)
    // One refresh per expiry: none while a token had most of its life before it, and each token was refreshed once.
    expect(fixture.log.ages.length).toBeGreaterThan(1)
    expect(Math.min(...fixture.log.ages)).toBeGreaterThan(0.85)
    expect(fixture.log.ages.length).toBeLessThanOrEqual(Math.ceil((SECONDS * 1_000) / (LIFETIME * 0.85)) + 1)
    // Nothing is left but the sign-in itself.
    expect(readdirSync(join(folder, 'sign-ins')).filter(name => !name.endsWith('.json'))).toEqual([])
  },
  SECONDS * 1_000 + 60_000,
)

it('asks one person once when the sign-in has ended, and goes on', async () => {
  let signedIn = 0
  const callers = Array.from({ length: PROCESSES }, () => startCaller(12_000, () => signedIn++))
  // A server that refuses what somebody has just signed in for would be another matter.
  await expect.poll(() => signedIn, { timeout: 30_000 }).toBe(PROCESSES)
  fixture.endAll()
  const outcomes = await Promise.all(callers)
  expect(outcomes.flatMap(({ errors }) => errors)).toEqual([])
  const events = outcomes.flatMap(({ events }) => events)
  expect(visits()).toHaveLength(2)
  expect(events.filter(type => type === 'auth-required')).toHaveLength(2)
  expect(events.filter(type => type === 'sign-in-ended')).toHaveLength(1)
  expect(fixture.log.reuses).toBe(0)
})

import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { signInLog } from '../../../src/cli/sign-in-log.js'
import { createLog } from '../../../src/node/log.js'

it('tells of sign-ins by stable names, with the address where a person has to act', () => {
  const output = new PassThrough()
  const hear = signInLog(createLog({ format: 'json', output }))
  const server = 'https://mcp.example/mcp'
  const url = 'https://auth.example/authorize?x=1'
  hear({ type: 'auth-required', server, url })
  hear({ type: 'auth-required', server, url: undefined })
  hear({ type: 'auth-awaited', server })
  hear({ type: 'signed-in', server, issuer: 'https://auth.example' })
  hear({ type: 'sign-in-ended', server, issuer: 'https://auth.example' })
  hear({ type: 'sign-in-failed', server, error: new Error('why') })
  hear({ type: 'sign-in-not-stored', server, error: new Error('why') })
  const records = String(output.read())
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  expect(records.map(({ level, event }) => `${level} ${event}`)).toEqual([
    'warn auth_required',
    'warn auth_required',
    'info auth_awaited',
    'info signed_in',
    'warn sign_in_ended',
    'error sign_in_failed',
    'warn sign_in_not_stored',
  ])
  expect(records[0]).toMatchObject({ server, url })
  expect(String(records[1]?.message)).toContain(`anyport login ${server}`)
})

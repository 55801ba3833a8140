import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { HELP } from '../src/options.js'
import { transcript } from './transcript.js'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('shows a conversation as it happens', async () => {
  const [, shown] = /```text transcript\n(.*?)\n```/s.exec(README) ?? []
  assert.equal(shown, await transcript())
})

it('shows the options that there are', () => {
  const [, shown] = /```text options\n(.*?)\n```/s.exec(README) ?? []
  assert.equal(shown, HELP.trimEnd())
})

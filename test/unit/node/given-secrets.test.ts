import { expect, it } from 'vitest'
import { connect } from '../../../src/node/connect.js'
import { secretsOfEnvironment } from '../../../src/node/process/environment-secrets.js'

it('what a program was given is secret, but for what says nothing', () => {
  const given = {
    API_KEY: 'abcd',
    OTHER: 'f00-ba5-planted',
    PROXY: 'http://u:p@host',
    MODE: 'production',
    PORT: '12345678',
    FOLDER: '~/things/kept',
    HERE: './somewhere/else',
    SHORT: 'a-b-c',
    TOKEN: 'x',
    GONE: undefined,
  }
  const inherited = {
    HOME: '/home/ann',
    LANG: 'en_US.UTF-8',
    MY_SECRET: 'inherited-one',
    TERM: 'xterm-256color',
  }
  expect([...secretsOfEnvironment({ ...inherited, ...given }, given)].sort()).toEqual(
    ['abcd', 'f00-ba5-planted', 'http://u:p@host', 'inherited-one'].sort(),
  )
})

it('arguments are secret where they are masked in the name', () => {
  const args = [
    '--api-key',
    'planted-a',
    '--token=planted-b',
    '-H',
    'X: planted-c',
    'sk-planted-d',
    'plain',
    '--key',
    'x',
  ]
  const target = connect({ command: 'server', args, env: { OTHER: 'planted-env-1' } })
  expect(target.name).not.toContain('planted')
  // One letter is a part of most words.
  expect(target.secrets).toEqual(['planted-env-1', 'planted-a', 'planted-b', 'X: planted-c', 'sk-planted-d'])
})

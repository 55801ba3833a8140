import { describe, expect, it } from 'vitest'
import { parseEnvFile, readEnvFile } from '../../../src/node/process/env-file.js'
import { childEnvironment } from '../../../src/node/process/environment.js'

describe('the environment of a child', () => {
  const inherit = {
    HOME: '/home/a',
    PATH: '/bin',
    LC_ALL: 'C',
    XDG_CACHE_HOME: '/c',
    HTTPS_PROXY: 'http://p',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    AWS_SECRET_ACCESS_KEY: 'secret',
    GITHUB_TOKEN: 'secret',
    NODE_OPTIONS: '--inspect',
    npm_config_cache: '/n',
    'npm_config_//registry.example/:_authToken': 'secret',
    SHELL: '() { code; }',
    Path: 'C:\\bin',
    ProgramData: 'C:\\ProgramData',
  }

  it('holds what is listed, and nothing else', () => {
    expect(childEnvironment({ inherit, platform: 'linux' })).toEqual({
      PYTHONUNBUFFERED: '1',
      PYTHONUTF8: '1',
      HOME: '/home/a',
      PATH: '/bin',
      LC_ALL: 'C',
      XDG_CACHE_HOME: '/c',
      HTTPS_PROXY: 'http://p',
      NODE_EXTRA_CA_CERTS: '/ca.pem',
      npm_config_cache: '/n',
    })
  })

  it('takes values by name over files over what is inherited', () => {
    const environment = childEnvironment({
      inherit: { ...inherit, MY_ONE: '1', MY_TWO: '2' },
      inheritNames: ['GITHUB_TOKEN', 'MY_*'],
      files: [
        { HOME: '/file', MY_ONE: 'file', A: 'first' },
        { A: 'second', B: 'file' },
      ],
      env: { B: 'named', PYTHONUNBUFFERED: '' },
      platform: 'linux',
    })
    expect(environment).toMatchObject({
      GITHUB_TOKEN: 'secret',
      MY_ONE: 'file',
      MY_TWO: '2',
      HOME: '/file',
      A: 'second',
      B: 'named',
      PYTHONUNBUFFERED: '',
    })
  })

  it('compares names without case on Windows', () => {
    const environment = childEnvironment({
      inherit: { Path: 'C:\\bin', ProgramData: 'C:\\ProgramData', SECRET: 'x' },
      env: { PATH: 'D:\\bin' },
      platform: 'win32',
    })
    expect(environment).toEqual({
      PYTHONUNBUFFERED: '1',
      PYTHONUTF8: '1',
      PATH: 'D:\\bin',
      ProgramData: 'C:\\ProgramData',
    })
  })
})

describe('an environment file', () => {
  it('understands comments, export and quotes', () => {
    const source = [
      '\uFEFF# comment',
      '',
      'PLAIN=one two  # comment',
      'export EXPORTED = yes',
      'EMPTY=',
      "SINGLE='a # b \\n'",
      'DOUBLE="a\\tb \\"c\\" \\\\ $HOME" # comment',
      'MANY="first',
      'second"',
      'HASH=a#b',
      'URL=postgres://u:p@h/db?x=1',
    ].join('\r\n')
    expect(parseEnvFile(source, '.env')).toEqual({
      PLAIN: 'one two',
      EXPORTED: 'yes',
      EMPTY: '',
      SINGLE: 'a # b \\n',
      DOUBLE: 'a\tb "c" \\ $HOME',
      MANY: 'first\nsecond',
      HASH: 'a#b',
      URL: 'postgres://u:p@h/db?x=1',
    })
  })

  it.each([
    ['A=1\n\nnonsense secret', '.env:3: expected KEY=VALUE'],
    ['A="1\n2"\n1B=2', '.env:3: "1B" is no name of a variable'],
    ["\nA='secret", ".env:2: the value of A has no closing '"],
    ['A="1" secret', '.env:1: unexpected text after the value of A'],
  ])('names the line of %j, never a value', (source, message) => {
    expect(() => parseEnvFile(source, '.env')).toThrow(new TypeError(message))
  })

  it('that is missing is named', () => {
    expect(() => readEnvFile('/no/such/file')).toThrow(
      'Cannot read the environment file /no/such/file: it does not exist',
    )
  })
})

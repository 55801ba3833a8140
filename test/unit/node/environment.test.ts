import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseEnvFile, readEnvFile } from '../../../src/node/process/env-file.js'
import { childEnvironment, INHERITED, INHERITED_WINDOWS } from '../../../src/node/process/environment.js'

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
      PYTHONIOENCODING: 'utf-8',
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
      PYTHONIOENCODING: 'utf-8',
      PATH: 'D:\\bin',
      ProgramData: 'C:\\ProgramData',
    })
  })

  const SECRETS = {
    AWS_SECRET_ACCESS_KEY: 's',
    AWS_SESSION_TOKEN: 's',
    ANTHROPIC_API_KEY: 's',
    OPENAI_API_KEY: 's',
    GITHUB_TOKEN: 's',
    GH_TOKEN: 's',
    NPM_TOKEN: 's',
    NODE_AUTH_TOKEN: 's',
    DATABASE_URL: 's',
    PGPASSWORD: 's',
    SSH_AUTH_SOCK: 's',
    GOOGLE_APPLICATION_CREDENTIALS: 's',
    SLACK_BOT_TOKEN: 's',
    STRIPE_SECRET: 's',
    ANYPORT_STATE_KEY: 's',
    // Of families that are inherited otherwise.
    MISE_GITHUB_TOKEN: 's',
    MISE_AGE_KEY: 's',
    XDG_SECRET: 's',
    LC_PASSWORD: 's',
  }

  it.each(['linux', 'darwin', 'win32'])('no secrets of ours: %s', platform => {
    expect(Object.keys(childEnvironment({ inherit: SECRETS, platform })).sort()).toEqual([
      'PYTHONIOENCODING',
      'PYTHONUNBUFFERED',
      'PYTHONUTF8',
    ])
  })

  it('secrets that are asked for by name or by family', () => {
    const inheritNames = ['AWS_SECRET_ACCESS_KEY', 'MISE_*']
    expect(childEnvironment({ inherit: SECRETS, inheritNames, platform: 'linux' })).toMatchObject({
      AWS_SECRET_ACCESS_KEY: 's',
      MISE_GITHUB_TOKEN: 's',
    })
  })

  it('everything where that is asked for, but our own settings', () => {
    const { ANYPORT_STATE_KEY, ...others } = SECRETS
    const environment = childEnvironment({
      inherit: { ...SECRETS, PYTHONUTF8: '0' },
      inheritNames: ['*'],
      platform: 'linux',
    })
    expect(environment).toEqual({
      PYTHONUNBUFFERED: '1',
      PYTHONIOENCODING: 'utf-8',
      PYTHONUTF8: '0',
      ...others,
    })
    expect(
      childEnvironment({ inherit: SECRETS, inheritNames: ['*'], env: { ANYPORT_STATE_KEY } }),
    ).toHaveProperty('ANYPORT_STATE_KEY')
  })

  it('is what the documentation lists', () => {
    const page = readFileSync(new URL('../../../docs/environment.md', import.meta.url), 'utf8')
    const [posix = '', windows = ''] = page.split('## On Windows as well')
    const listed = (text: string) =>
      [...(text.match(/```text\n([^`]*)```/)?.[1] ?? '').matchAll(/\S+/g)].map(([name]) => name)
    const inherited = (names: readonly string[], platform: string) => {
      const inherit = Object.fromEntries(names.map(name => [name.replace('*', 'x'), '1']))
      return Object.keys(childEnvironment({ inherit, platform })).filter(name => !name.startsWith('PYTHON'))
        .length
    }
    expect(listed(posix).length).toBe(INHERITED.length)
    expect(inherited(listed(posix), 'linux')).toBe(INHERITED.length)
    expect(listed(windows).length).toBe(INHERITED_WINDOWS.length)
    expect(inherited(listed(windows), 'win32')).toBe(INHERITED_WINDOWS.length)
    for (const name of [
      'PATHEXT',
      'COMSPEC',
      'PROGRAMDATA',
      'APPDATA',
      'LOCALAPPDATA',
      'PROGRAMFILES',
      'WINDIR',
    ])
      expect(listed(windows)).toContain(name)
    for (const name of [
      'HTTP_PROXY',
      'https_proxy',
      'NO_PROXY',
      'NODE_EXTRA_CA_CERTS',
      'SSL_CERT_FILE',
      'PATH',
    ])
      expect(listed(posix)).toContain(name)
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

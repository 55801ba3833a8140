import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { OLDEST_NODE } from '../../../src/node/process/choose-node.js'
import { type LaunchRequest, planLaunch } from '../../../src/node/process/launch-plan.js'
import { inventedFiles } from './invented-files.js'

const HOME = '/home/me'
const NVM = `${HOME}/.nvm/versions/node`
const NPX = '#!/usr/bin/env node\n'

/** A Node with what comes with it, in a folder. */
const nodeIn = (folder: string) => ({
  [`${folder}/node`]: 'ELF',
  [`${folder}/npx`]: NPX,
  [`${folder}/npm`]: NPX,
})
const nvm = (...versions: readonly string[]) =>
  Object.assign({}, ...versions.map(version => nodeIn(`${NVM}/v${version}/bin`))) as Record<string, string>
const engines = (node: string) => JSON.stringify({ name: 'x', engines: { node } })

function plan(
  command: string,
  args: readonly string[],
  files: Readonly<Record<string, string>>,
  change: Partial<LaunchRequest> = {},
) {
  return planLaunch({
    platform: 'linux',
    command,
    args,
    env: { HOME, PATH: '/usr/bin' },
    cwd: '/project',
    files: inventedFiles('linux', files),
    ...change,
  })
}

describe('a command that PATH has', () => {
  it.each([
    ['uvx', { '/usr/bin/uvx': 'ELF' }],
    ['/opt/tool', { '/opt/tool': 'ELF' }],
    ['./tool', { '/project/tool': 'ELF' }],
    ['nowhere', {}],
    ['/no/where', {}],
    // Of unknown version, and nothing to complain about.
    ['npx', nodeIn('/usr/bin')],
    ['my-server', { ...nodeIn('/usr/bin'), '/usr/bin/my-server': NPX }],
    ['/opt/node14/node', nodeIn('/opt/node14')],
  ])('%s is run as it is', (command, files) => {
    expect(plan(command, ['a b', '%x'], { ...nvm('22.1.0'), ...files })).toEqual({
      file: command,
      args: ['a b', '%x'],
      why: [],
    })
  })
})

describe('Node that PATH does not have', () => {
  it.each([
    ['nvm', `${NVM}/v22.1.0/bin`],
    ['nvm', `${HOME}/.config/nvm/versions/node/v22.1.0/bin`],
    ['fnm', `${HOME}/.local/share/fnm/node-versions/v22.1.0/installation/bin`],
    ['fnm', `${HOME}/Library/Application Support/fnm/node-versions/v22.1.0/installation/bin`],
    ['volta', `${HOME}/.volta/tools/image/node/22.1.0/bin`],
    ['mise', `${HOME}/.local/share/mise/installs/node/22.1.0/bin`],
    ['asdf', `${HOME}/.asdf/installs/nodejs/22.1.0/bin`],
    ['nodenv', `${HOME}/.nodenv/versions/22.1.0/bin`],
    ['n', '/usr/local/n/versions/node/22.1.0/bin'],
  ])('is found where %s puts it: %s', (from, folder) => {
    expect(plan('npx', ['-y', 'x'], nodeIn(folder))).toEqual({
      file: `${folder}/npx`,
      args: ['-y', 'x'],
      options: { env: { HOME, PATH: `${folder}:/usr/bin` } },
      why: [`node is not in PATH; took Node v22.1.0 of ${from} (${folder}), the newest of 1 found`],
    })
  })

  it('is found where Homebrew puts it, whose folder tells the version', () => {
    const files = {
      ...nodeIn('/opt/homebrew/Cellar/node/22.1.0_1/bin'),
      '/opt/homebrew/bin/node': '-> /opt/homebrew/Cellar/node/22.1.0_1/bin/node',
      '/opt/homebrew/bin/npx': '-> /opt/homebrew/Cellar/node/22.1.0_1/bin/npx',
    }
    expect(plan('npx', [], files).why[0]).toContain('took Node v22.1.0 of Homebrew (/opt/homebrew/bin)')
  })

  it('by variables that say where the folders are', () => {
    for (const [name, folder] of [
      ['NVM_DIR', '/x/versions/node/v22.1.0/bin'],
      ['FNM_DIR', '/x/node-versions/v22.1.0/installation/bin'],
      ['VOLTA_HOME', '/x/tools/image/node/22.1.0/bin'],
      ['MISE_DATA_DIR', '/x/installs/node/22.1.0/bin'],
      ['ASDF_DATA_DIR', '/x/installs/nodejs/22.1.0/bin'],
    ] as const) {
      expect(plan('node', [], nodeIn(folder), { env: { [name]: '/x', PATH: '/usr/bin' } }).file).toBe(
        `${folder}/node`,
      )
    }
  })

  it('is the newest by number, not by name; aliases are no versions', () => {
    const files = { ...nvm('9.9.9', '10.24.1', '22.1.0', '22.10.0'), [`${NVM}/lts`]: `-> ${NVM}/v10.24.1` }
    expect(plan('node', ['x.js'], files).file).toBe(`${NVM}/v22.10.0/bin/node`)
    expect(plan('node', ['x.js'], files).why[0]).toContain('the newest of 4 found')
  })

  it('must have what is asked for beside it', () => {
    const files = { ...nvm('20.19.0'), [`${NVM}/v22.1.0/bin/node`]: 'ELF' }
    expect(plan('npx', [], files).file).toBe(`${NVM}/v20.19.0/bin/npx`)
  })

  it('is the one that runs us, if there is no newer', () => {
    const ownNode = { executable: '/opt/node/bin/node', version: 'v22.3.0' }
    const files = nodeIn('/opt/node/bin')
    expect(plan('npx', [], files, { ownNode }).file).toBe('/opt/node/bin/npx')
    expect(plan('npx', [], { ...files, ...nvm('22.1.0') }, { ownNode }).file).toBe('/opt/node/bin/npx')
    const editor = { executable: '/opt/editor/editor', version: 'v22.3.0' }
    expect(plan('npx', [], nvm('22.1.0'), { ownNode: editor }).file).toBe(`${NVM}/v22.1.0/bin/npx`)
  })

  it('npx alone may be missing', () => {
    const { file, why } = plan('npx', [], { ...nvm('22.1.0'), '/usr/bin/node': 'ELF' })
    expect(file).toBe(`${NVM}/v22.1.0/bin/npx`)
    expect(why[0]).toMatch(/^npx is not in PATH; took Node v22\.1\.0 of nvm/)
  })
})

describe('engines and version files', () => {
  const versions = nvm('14.21.3', '16.20.2', '18.20.4', '20.19.0', '22.1.0')
  const chosen = (...given: Parameters<typeof plan>) => /node\/v(\d+)/.exec(plan(...given).file)?.[1]

  it.each([
    ['>=18', '22'],
    ['>=14 <19', '18'],
    ['^16.14.0 || 14', '16'],
    ['18.x', '18'],
    ['~20.19', '20'],
    ['16 - 18', '18'],
    ['< 18', '16'],
    ['=14.21.3', '14'],
    ['*', '22'],
    ['>=30', '22'],
    ['nonsense', '22'],
  ])('engines %j of the package of a script: v%s', (range, expected) => {
    const files = { ...versions, '/server/package.json': engines(range), '/server/dist/index.js': '' }
    expect(chosen('node', ['--no-warnings', '-r', 'x', '/server/dist/index.js', '--flag'], files)).toBe(
      expected,
    )
  })

  it('names what asks for it', () => {
    const files = { ...versions, '/server/package.json': engines('18') }
    expect(plan('node', ['/server/index.js'], files).why).toEqual([
      `node is not in PATH; took Node v18.20.4 of nvm (${NVM}/v18.20.4/bin), the newest that will do: /server/package.json asks for 18`,
    ])
    expect(
      plan('node', ['/server/index.js'], { ...nvm('14.0.0'), '/server/package.json': engines('18') }).why[0],
    ).toContain('the newest of 1 found (none meets 18)')
  })

  it.each([
    ['.nvmrc', 'v18.20.4\n', '18'],
    ['.nvmrc', '16', '16'],
    ['.nvmrc', '# ours\nlts/iron\n', '20'],
    ['.nvmrc', 'lts/*', '22'],
    ['.nvmrc', 'node', '22'],
    ['.node-version', '18.20', '18'],
  ])('%s %j in the working folder: v%s', (name, text, expected) => {
    expect(chosen('npx', ['-y', 'x'], { ...versions, [`/project/${name}`]: text })).toBe(expected)
  })

  it('both where both can be had, engines where not', () => {
    const files = { ...versions, '/project/package.json': engines('>=16'), '/project/.nvmrc': '18' }
    expect(chosen('npm', ['start'], files)).toBe('18')
    expect(chosen('npm', ['start'], { ...files, '/project/.nvmrc': '14' })).toBe('22')
  })

  it('npx asks the package that it will run, not the folder it runs in', () => {
    const files = {
      ...versions,
      '/project/package.json': engines('14'),
      '/node_modules/@a/b/package.json': engines('18'),
    }
    expect(chosen('npx', ['-y', '@a/b@1.2.3', 'x'], files)).toBe('18')
    expect(chosen('npx', ['-y', 'other'], files)).toBe('22')
  })
})

describe('a node in PATH that will not do', () => {
  const path = (...folders: readonly string[]) => ({ env: { HOME, PATH: folders.join(':') } })

  it('all versions of nvm in PATH, the oldest first, as some applications do', () => {
    const folders = ['10.24.1', '14.21.3', '22.1.0'].map(version => `${NVM}/v${version}/bin`)
    const { file, options, why } = plan(
      'npx',
      ['x'],
      nvm('10.24.1', '14.21.3', '22.1.0'),
      path(...folders, '/usr/bin'),
    )
    expect(file).toBe(`${NVM}/v22.1.0/bin/npx`)
    expect(options?.env?.PATH).toBe([folders[2], folders[0], folders[1], '/usr/bin'].join(':'))
    expect(why[0]).toBe(
      `the node in PATH (${folders[0]}/node) is v10.24.1, which is too old; took Node v22.1.0 of nvm (${folders[2]}), the newest of 3 found`,
    )
  })

  it('its version is told by a link, or by its headers', () => {
    const linked = {
      '/usr/bin/node': '-> /opt/node-v14.21.3-linux-x64/bin/node',
      ...nodeIn('/opt/node-v14.21.3-linux-x64/bin'),
    }
    const headers = {
      ...nodeIn('/usr/bin'),
      '/usr/include/node/node_version.h':
        '#define NODE_MAJOR_VERSION 14\n#define NODE_MINOR_VERSION 21\n#define NODE_PATCH_VERSION 3\n',
    }
    for (const old of [linked, headers]) {
      expect(plan('npx', [], { ...nvm('22.1.0'), ...old }).why[0]).toContain(
        'the node in PATH (/usr/bin/node) is v14.21.3',
      )
      expect(plan('npx', [], old)).toMatchObject({ file: 'npx', why: [] })
    }
  })

  it('stays where the server or the working folder asks for it', () => {
    const folder = `${NVM}/v18.20.4/bin`
    const files = nvm('18.20.4', '22.1.0')
    expect(plan('node', ['x.js'], files, path(folder)).why[0]).toContain('too old')
    expect(
      plan('node', ['x.js'], { ...files, '/project/package.json': engines('>=18') }, path(folder)).why,
    ).toEqual([])
    expect(plan('node', ['x.js'], { ...files, '/project/.nvmrc': '18' }, path(folder)).why).toEqual([])
    expect(plan(`${folder}/node`, ['x.js'], files, path(folder)).why).toEqual([])
  })

  it('gives way to what engines ask for, and only to that', () => {
    const files = { ...nvm('18.20.4', '20.19.0'), '/project/package.json': engines('>=22') }
    expect(plan('node', ['x.js'], files, path(`${NVM}/v18.20.4/bin`)).why).toEqual([])
    expect(plan('node', ['x.js'], { ...files, ...nvm('22.1.0') }, path(`${NVM}/v18.20.4/bin`)).why[0]).toBe(
      `the node in PATH (${NVM}/v18.20.4/bin/node) is v18.20.4, but /project/package.json asks for >=22; took Node v22.1.0 of nvm (${NVM}/v22.1.0/bin), the newest that will do: /project/package.json asks for >=22`,
    )
  })

  it('also where another program finds it there', () => {
    const files = { ...nvm('14.21.3', '22.1.0'), '/usr/bin/my-server': NPX }
    expect(plan('my-server', ['x'], files, path(`${NVM}/v14.21.3/bin`, '/usr/bin'))).toMatchObject({
      file: 'my-server',
      args: ['x'],
      options: { env: { PATH: `${NVM}/v22.1.0/bin:${NVM}/v14.21.3/bin:/usr/bin` } },
    })
  })

  it('an npx with its full path is run by the node beside it', () => {
    const files = nvm('14.21.3', '22.1.0')
    const npx = `${NVM}/v22.1.0/bin/npx`
    expect(plan(npx, ['x'], files, path(`${NVM}/v14.21.3/bin`))).toEqual({
      file: npx,
      args: ['x'],
      options: { env: { HOME, PATH: `${NVM}/v22.1.0/bin:${NVM}/v14.21.3/bin` } },
      why: [`put ${NVM}/v22.1.0/bin first in PATH: ${npx} would be run by ${NVM}/v14.21.3/bin/node`],
    })
    expect(plan(npx, ['x'], files, path(`${NVM}/v22.1.0/bin`)).why).toEqual([])
  })

  it('is no older than what we need ourselves', () => {
    const own = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    expect(`>=${OLDEST_NODE}`).toBe(`${own.engines.node}.0`)
  })
})

describe('other programs that PATH does not have', () => {
  it.each([
    ['uv or pipx', `${HOME}/.local/bin`],
    ['the system', '/usr/local/bin'],
    ['Homebrew', '/opt/homebrew/bin'],
    ['Homebrew', '/home/linuxbrew/.linuxbrew/bin'],
    ['cargo', `${HOME}/.cargo/bin`],
    ['bun', `${HOME}/.bun/bin`],
    ['deno', `${HOME}/.deno/bin`],
    ['go', `${HOME}/go/bin`],
    ['npm', `${HOME}/.npm-global/bin`],
    ['npm', '/prefix/bin'],
    ['pnpm', `${HOME}/.local/share/pnpm`],
    ['volta', `${HOME}/.volta/bin`],
    ['pyenv', `${HOME}/.pyenv/versions/3.12.1/bin`],
    ['mise', `${HOME}/.local/share/mise/installs/uv/0.5.1/bin`],
    ['mise', `${HOME}/.local/share/mise/shims`],
    ['asdf', `${HOME}/.asdf/shims`],
  ])('are found where %s puts them: %s', (from, folder) => {
    const files = { [`${folder}/tool`]: 'ELF', [`${HOME}/.npmrc`]: 'registry=x\nprefix = /prefix\n' }
    expect(plan('tool', ['x'], files)).toEqual({
      file: `${folder}/tool`,
      args: ['x'],
      options: { env: { HOME, PATH: `/usr/bin:${folder}` } },
      why: [`tool is not in PATH; took ${folder}/tool, where ${from} puts programs`],
    })
  })

  it('a program installed with a Node is run by that Node', () => {
    const files = { ...nvm('18.20.4', '22.1.0'), [`${NVM}/v18.20.4/bin/my-server`]: NPX }
    const { file, options, why } = plan('my-server', [], files)
    expect(file).toBe(`${NVM}/v18.20.4/bin/my-server`)
    expect(options?.env?.PATH).toBe(`/usr/bin:${NVM}/v18.20.4/bin`)
    expect(why).toEqual([`my-server is not in PATH; took ${file}, where nvm puts programs`])
    const newer = plan('my-server', [], { ...files, ...nodeIn('/usr/bin') })
    expect(newer.options?.env?.PATH).toBe(`${NVM}/v18.20.4/bin:/usr/bin`)
  })

  it('a configuration for Windows works elsewhere', () => {
    expect(plan('cmd', ['/c', 'npx', '-y', 'x'], nodeIn('/usr/bin'))).toEqual({
      file: 'npx',
      args: ['-y', 'x'],
      why: ['started npx itself, without the cmd around it'],
    })
  })
})

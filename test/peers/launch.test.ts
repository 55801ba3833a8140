import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { ANYPORT, type LogLine } from './start-anyport.js'

const SERVER = fileURLToPath(new URL('../fixtures/processes/which-node.mjs', import.meta.url))

/** Where each puts versions of Node, from the home folder on. */
const PLACES = {
  nvm: version => `.nvm/versions/node/v${version}/bin`,
  fnm: version => `.local/share/fnm/node-versions/v${version}/installation/bin`,
  volta: version => `.volta/tools/image/node/${version}/bin`,
  mise: version => `.local/share/mise/installs/node/${version}/bin`,
} satisfies Record<string, (version: string) => string>

// None that exists, so that no Node of this machine can be taken for one of them.
const VERSIONS = ['14.99.0', '18.99.0', '22.99.0']

describe.each(Object.entries(PLACES))(
  'a PATH without the right Node, with versions in %s',
  (manager, place) => {
    let home: string
    let empty: string

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), 'anyport-home-'))
      empty = join(home, 'empty')
      await mkdir(empty)
      for (const version of VERSIONS) {
        const folder = join(home, place(version))
        const node = `#!/bin/sh\nWHICH_NODE=${version} exec '${process.execPath}' "$@"\n`
        await program(join(folder, 'node'), node)
        await program(join(folder, 'npx'), `#!/usr/bin/env node\nimport(${JSON.stringify(SERVER)})\n`)
      }
      await file(join(home, 'server/package.json'), '{"name":"server","engines":{"node":">=18 <20"}}')
      await file(join(home, 'server/dist/index.mjs'), `import ${JSON.stringify(SERVER)}\n`)
      await file(join(home, 'pinned/.nvmrc'), '14.99.0\n')
    })

    afterAll(() => rm(home, { recursive: true, force: true }))

    const folder = (version: string) => join(home, place(version))

    test('npx gets the newest, also for its own first line', async () => {
      const { report, launch } = await run(['npx', '-y', 'a server'], { HOME: home, PATH: empty })
      expect(report).toEqual({
        node: '22.99.0',
        args: ['-y', 'a server'],
        path: `${folder('22.99.0')}:${empty}`,
      })
      expect(launch).toMatchObject({
        level: 'info',
        message: expect.stringMatching(
          `node is not in PATH; took Node v22.99.0 of ${manager} \\(${folder('22.99.0')}\\), the newest of`,
        ),
      })
    })

    test('engines of the server decide, whatever PATH=/usr/bin holds', async () => {
      const { report, launch } = await run(['node', join(home, 'server/dist/index.mjs'), 'x'], {
        HOME: home,
        // Where /usr/bin has a Node 18 or 19, that one would do.
        PATH: /^v1[89]\./.test(process.version) ? empty : '/usr/bin',
      })
      expect(report).toMatchObject({ node: '18.99.0', args: ['x'] })
      expect(launch?.message).toContain(`${join(home, 'server/package.json')} asks for >=18 <20`)
    })

    test('.nvmrc of the working folder decides', async () => {
      const { report } = await run(['npx', 'x'], { HOME: home, PATH: empty }, ['--cwd', join(home, 'pinned')])
      expect(report.node).toBe('14.99.0')
    })

    test('a Node first in PATH that is too old gives way', async () => {
      const old = folder('14.99.0')
      const { report, launch } = await run(['npx', 'x'], { HOME: home, PATH: `${old}:/usr/bin` })
      expect(report).toMatchObject({ node: '22.99.0', path: `${folder('22.99.0')}:${old}:/usr/bin` })
      expect(launch?.message).toContain(`the node in PATH (${old}/node) is v14.99.0, which is too old`)
    })

    test('an npx by its full path gets the Node beside it', async () => {
      const npx = join(folder('18.99.0'), 'npx')
      const { report } = await run([npx, 'x'], { HOME: home, PATH: `${folder('14.99.0')}:/usr/bin` })
      expect(report.node).toBe('18.99.0')
    })
  },
)

test('a program in ~/.local/bin is found, and one in PATH is not touched', async () => {
  const home = await mkdtemp(join(tmpdir(), 'anyport-home-'))
  await mkdir(join(home, '.local/bin'), { recursive: true })
  await symlink(process.execPath, join(home, '.local/bin/our-node'))
  const found = await run(['our-node', SERVER], { HOME: home, PATH: '/usr/bin' })
  expect(found.report.path).toBe(`/usr/bin:${home}/.local/bin`)
  expect(found.launch?.message).toBe(
    `our-node is not in PATH; took ${home}/.local/bin/our-node, where uv or pipx puts programs`,
  )
  const inPath = await run(['our-node', SERVER], { HOME: home, PATH: join(home, '.local/bin') })
  expect(inPath.report.path).toBe(join(home, '.local/bin'))
  expect(inPath.launch).toBeUndefined()
  await rm(home, { recursive: true })
})

test('secrets reach the server where they are asked for only', async () => {
  const env = { HOME: '/nowhere', PATH: '/usr/bin', AWS_SECRET_ACCESS_KEY: 'secret' }
  const command = [process.execPath, SERVER]
  expect((await run(command, env)).report.secret).toBeUndefined()
  expect((await run(command, env, ['--env', 'AWS_SECRET_ACCESS_KEY'])).report.secret).toBe('secret')
  expect((await run(command, env, ['--inherit-env'])).report.secret).toBe('secret')
})

// docs/environment.md: Node takes the option for its own, behind the script as well.
test('an environment file that is missing ends the command', async () => {
  const { code, stderr } = await ranAnyport('serve', '--env-file', '/no/such/.env', '--', 'x')
  expect(stderr).toContain('/no/such/.env')
  expect([2, 9]).toContain(code)
})

interface Report {
  readonly secret?: string
  readonly node?: string
  readonly args: readonly string[]
  readonly path: string
}

/** Runs `anyport serve --stdio` with this environment and no other, until the server has told what it was given. */
async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  options: readonly string[] = [],
): Promise<{ readonly report: Report; readonly launch: LogLine | undefined }> {
  const child = spawn(
    process.execPath,
    [ANYPORT, 'serve', '--stdio', '--log-format', 'json', ...options, '--', ...command],
    { env, stdio: ['pipe', 'ignore', 'pipe'] },
  )
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const log: LogLine[] = []
  let text = ''
  try {
    for await (const chunk of child.stderr.setEncoding('utf8')) {
      text += chunk
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) log.push(JSON.parse(line))
      const told = log.find(line => line.event === 'server_stderr' && String(line.message).startsWith('{'))
      if (told !== undefined) {
        const report = JSON.parse(String(told.message)) as Report
        return { report, launch: log.find(line => line.event === 'server_launch') }
      }
    }
    throw new Error(`ended without a report:\n${log.map(line => JSON.stringify(line)).join('\n')}\n${text}`)
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
    }
    clearTimeout(limit)
  }
}

async function file(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}

async function program(path: string, text: string): Promise<void> {
  await file(path, text)
  await chmod(path, 0o755)
}

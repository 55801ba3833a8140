/**
 * npm run deploy:check [-- --quick]
 *
 * Does what deploy/Dockerfile says, without an engine: the build stage in a folder of its own, on the files that the ignore file lets
 * through; the image's files put together over this machine's system, all of it read-only; the entry point started there as the image's
 * user, with processes of its own. Then looks at it from outside. --quick takes this checkout's build in place of the build stage. Needs root on Linux;
 * elsewhere it says why not, which is a failure where CI=true only.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { newApiKey } from '../dist/fetch.js'
import { stagesOf } from './dockerfile.mjs'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const STEP_LIMIT = 5 * 60_000
const START_LIMIT = 60_000
const STOP_LIMIT = 30_000
/** Of this machine, read-only: what the base image and its packages have. */
const SYSTEM = ['usr', 'bin', 'sbin', 'lib', 'lib64', 'etc']

const problem = whyNot()
if (problem === undefined) await check()
else {
  console.error(`Not checked: ${problem}`)
  process.exitCode = process.env.CI === 'true' ? 1 : 0
}

function whyNot() {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid() !== 0) return 'it needs root, to put a root folder together'
  for (const tool of ['unshare', 'chroot', 'mount'])
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `there is no ${tool}`
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', 'true'], {
    encoding: 'utf8',
  })
  return status === 0 ? undefined : `this machine allows no namespaces: ${stderr.trim()}`
}

async function check() {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-deploy-'))
  try {
    const [build, image] = stagesOf(readFileSync(join(HERE, 'deploy/Dockerfile'), 'utf8'))
    const built = process.argv.includes('--quick') ? HERE : runBuild(build, join(folder, 'build'))
    const started = await start(image, built, join(folder, 'root'))
    try {
      await look(started)
    } finally {
      await stop(started)
    }
    console.log('The image does what it should')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The files that are let through, and each RUN on them. */
function runBuild(stage, folder) {
  mkdirSync(folder)
  const allowed = readFileSync(join(HERE, 'deploy/Dockerfile.dockerignore'), 'utf8')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1))
  const known = readdirSync(HERE)
  for (const pattern of allowed) {
    const matches = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
    for (const name of known.filter(name => matches.test(name)))
      cpSync(join(HERE, name), join(folder, name), { recursive: true })
  }
  for (const { instruction, value } of stage) {
    if (instruction !== 'RUN') continue
    console.log(`build: ${value}`)
    const { status } = spawnSync('sh', ['-ec', value], { cwd: folder, stdio: 'inherit', timeout: STEP_LIMIT })
    if (status !== 0) throw new Error(`the build stage failed: ${value}`)
  }
  return folder
}

/** The final stage as a root folder, and its entry point in it. */
async function start(stage, built, root) {
  const of = name => stage.filter(({ instruction }) => instruction === name).map(({ value }) => value)
  const [workdir] = of('WORKDIR')
  for (const name of [...SYSTEM, 'proc', 'dev', 'tmp', 'opt/node/bin', 'run/secrets', workdir.slice(1)])
    mkdirSync(join(root, name), { recursive: true })
  cpSync(process.execPath, join(root, 'opt/node/bin/node'))
  for (const value of of('COPY')) {
    const paths = value.replace(/^--from=build /, '').split(' ')
    for (const path of paths.slice(0, -1)) {
      const name = path.replace(/^\/src\//, '')
      cpSync(join(built, name), join(root, workdir, name), { recursive: true, dereference: true })
    }
  }
  const { key, record } = await newApiKey('alice')
  writeFileSync(join(root, 'run/secrets/anyport-keys'), JSON.stringify({ version: 1, keys: [record] }))
  cpSync(join(HERE, 'test/fixtures/echo-server.mjs'), join(root, 'opt/echo-server.mjs'))
  writeFileSync(
    join(root, 'opt/anyport.json'),
    JSON.stringify({ mcpServers: { echo: { command: 'node', args: ['/opt/echo-server.mjs'] } } }),
  )

  const environment = of('ENV').flatMap(value => value.split(' '))
  const init = spawnSync('sh', ['-c', 'command -v tini'], { encoding: 'utf8' }).stdout.trim()
  if (init === '') console.log('tini is not installed here: started without it, as process 1')
  else cpSync(init, join(root, 'opt/node/bin/tini'), { dereference: true })
  const entry = JSON.parse(of('ENTRYPOINT')[0]).slice(init === '' ? 2 : 0)
  const command = [...JSON.parse(of('CMD')[0]), '--port', '0'].map(word =>
    // This machine's /etc is in its place.
    word === '/etc/anyport/anyport.json' ? '/opt/anyport.json' : word,
  )
  // The bind mount of the root comes first: it would hide what is mounted below it.
  const mounts = [
    'mount --make-rprivate /',
    'mount --bind "$1" "$1"',
    ...SYSTEM.filter(name => existsSync(`/${name}`)).flatMap(name => [
      `mount --bind /${name} "$1/${name}"`,
      `mount --options remount,bind,ro "$1/${name}"`,
    ]),
    'mount --types tmpfs --options mode=1777 tmpfs "$1/tmp"',
    'mount --types proc proc "$1/proc"',
    'mount --rbind /dev "$1/dev"',
    'mount --options remount,bind,ro "$1"',
  ]
  const run = 'root=$1; user=$2; shift 2; exec chroot --userspec="$user" "$root" "$@"'
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', `${mounts.join('\n')}\n${run}`, 'sh'],
      ...[root, of('USER')[0], '/usr/bin/env', '--ignore-environment', 'PATH=/opt/node/bin:/usr/bin:/bin'],
      ...environment,
      ...entry,
      ...command,
    ],
    { stdio: ['ignore', 'inherit', 'pipe'] },
  )
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal)
  const log = []
  const lines = createInterface({ input: child.stderr })
  const listening = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it does not listen:\n${log.join('\n')}`)), START_LIMIT)
    lines.on('line', line => {
      log.push(line)
      if (!line.includes('"event":"listening"')) return
      clearTimeout(timer)
      resolve(JSON.parse(line))
    })
    ended.then(how => {
      clearTimeout(timer)
      reject(new Error(`it ended (${how}):\n${log.join('\n')}`))
    })
  })
  const { url } = await listening
  return { child, ended, log, key, port: new URL(url).port, user: of('USER')[0], root }
}

async function look({ port, key, user, child }) {
  const base = `http://127.0.0.1:${port}`
  expect('/healthz', (await fetch(`${base}/healthz`)).status, 200)
  const inside = processesOf(child.pid).filter(({ args }) => args.includes('anyport.js'))
  expect('the user', `${inside.at(-1)?.uid}:${inside.at(-1)?.gid}`, user)
  expect('the root', writable(inside.at(-1)?.pid), 'read-only')
  const call = async authorization =>
    await fetch(`${base}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...authorization,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: {},
          clientInfo: { name: 'check', version: '1.0.0' },
        },
      }),
    })
  expect('a call without a key', (await call({})).status, 401)
  expect('a call with one', (await call({ authorization: `Bearer ${key}` })).status, 200)
  expect('/readyz', await ready(base), 200)
}

async function stop({ child, ended, log }) {
  const main = processesOf(child.pid).find(({ args }) => args.includes('anyport.js'))
  const began = performance.now()
  // As an engine: to process 1 of the container.
  if (main !== undefined) process.kill(main.pid, 'SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
  const how = await ended
  clearTimeout(timer)
  if (how !== 0) console.error(log.join('\n'))
  expect('how it ends', how, 0)
  console.log(`ended ${Math.round(performance.now() - began)} ms after SIGTERM`)
}

async function ready(base) {
  for (let tries = 0; tries < 100; tries++) {
    const { status } = await fetch(`${base}/readyz`)
    if (status === 200) return status
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  return 'not ready'
}

/** Whether the mount of its root lets it write. */
function writable(pid) {
  const [line] = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .filter(mount => mount.split(' ')[4] === '/')
    .slice(-1)
  return line?.split(' ')[5].split(',').includes('ro') ? 'read-only' : 'writable'
}

/** All below a process, in the order of their numbers; the outermost first. */
function processesOf(pid) {
  const all = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8')
        const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ')
        const number = key => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1])
        return [{ pid: Number(name), parent: number('PPid'), uid: number('Uid'), gid: number('Gid'), args }]
      } catch {
        return []
      }
    })
  const found = []
  const add = parent => {
    for (const each of all.filter(process => process.parent === parent)) {
      found.push(each)
      add(each.pid)
    }
  }
  add(pid)
  return found
}

function expect(what, found, wanted) {
  if (found !== wanted) throw new Error(`${what}: ${found} instead of ${wanted}`)
  console.log(`${what}: ${found}`)
}

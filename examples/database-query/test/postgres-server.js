/** A PostgreSQL of the system, for one test run: on a free port of this machine, in a temporary folder. */

import { execFile, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

const DEBIAN = '/usr/lib/postgresql'
const PASSWORD = 'correct-horse-battery'
const START_LIMIT = 30_000

const READER = `
  CREATE ROLE app_reader LOGIN PASSWORD '${PASSWORD}' IN ROLE reader;
  CREATE ROLE app_writer LOGIN PASSWORD '${PASSWORD}' IN ROLE keeper;`

/** Where its programs are, or why there are none: then `CI` fails and others skip. */
export function postgresPrograms() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).filter(name => /^\d+$/.test(name)) : []
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0]
  if (newest !== undefined && existsSync(join(DEBIAN, newest, 'bin', 'initdb')))
    return join(DEBIAN, newest, 'bin')
  if (process.env.CI === 'true')
    throw new Error(`There is no PostgreSQL below ${DEBIAN}: install the package postgresql`)
  return undefined
}

/**
 * Holds the same shop as the embedded one. `urlOf` gives DATABASE_URL for a role: app_reader, app_writer or postgres.
 * @param {string} programs
 */
export async function startPostgres(programs) {
  const folder = mkdtempSync(join(tmpdir(), 'database-query-test-'))
  const data = join(folder, 'data')
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, PASSWORD)
  const user = userToRunAs()
  if (user !== undefined) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid)

  const auth = ['--auth=scram-sha-256', '--username=postgres', `--pwfile=${passwordFile}`]
  const how = ['--encoding=UTF8', '--locale=C', '--no-sync']
  await promisify(execFile)(join(programs, 'initdb'), [`--pgdata=${data}`, ...auth, ...how], {
    ...user,
    cwd: folder,
  })
  const port = await freePort()
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const subject = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  await promisify(execFile)('openssl', ['req', ...subject, '-keyout', key, '-out', certificate])
  if (user !== undefined) chownSync(key, user.uid, user.gid)
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: 30,
    ssl: 'on',
    ssl_cert_file: certificate,
    ssl_key_file: key,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(join(programs, 'postgres'), ['-D', data, ...args], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', chunk => {
    said = `${said}${chunk}`.slice(-4_000)
  })
  const ended = new Promise(resolve => child.once('exit', resolve))

  const urlOf = (/** @type {string} */ role) => `postgres://${role}:${PASSWORD}@127.0.0.1:${port}/postgres`
  const admin = await connected(urlOf('postgres'), () => said)
  await admin.query(readFileSync(new URL('../src/embedded/sample.sql', import.meta.url), 'utf8'))
  await admin.query(READER)
  return {
    urlOf,
    port,
    password: PASSWORD,
    /** Of a superuser, to look what has happened. */
    admin,
    async stop() {
      await admin.end()
      // Fast shutdown: sessions are ended.
      child.kill('SIGINT')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root. */
function userToRunAs() {
  if (process.getuid?.() !== 0) return undefined
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(text => text.startsWith('postgres:'))
  if (line === undefined) throw new Error('There is no user "postgres" to run PostgreSQL as')
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}

/**
 * @param {string} url
 * @param {() => string} said
 */
async function connected(url, said) {
  for (const until = Date.now() + START_LIMIT; ; ) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      return client
    } catch (error) {
      if (Date.now() > until) throw new Error(`PostgreSQL does not start: ${said()}`, { cause: error })
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

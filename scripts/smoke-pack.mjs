/**
 * Does what a stranger does with the published package: installs the tarball into an empty folder, runs the
 * command, imports both doors, and type-checks a small program, without Node's types and without
 * `skipLibCheck`.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const STEP_LIMIT_MS = 120_000

const IMPORTS = `
import * as anyport from 'anyport'
import * as web from 'anyport/fetch'
for (const name of ['serve', 'connect'])
  if (typeof anyport[name] !== 'function') throw new Error('anyport does not export ' + name)
if (typeof web.fetchHandler !== 'function') throw new Error('anyport/fetch does not export fetchHandler')
const sdk = await import('anyport/sdk')
const lambda = await import('anyport/lambda')
if (typeof sdk.fromSdk !== 'function') throw new Error('anyport/sdk does not export fromSdk')
if (typeof lambda.lambdaHandler !== 'function') throw new Error('anyport/lambda does not export lambdaHandler')

// Calls for what is loaded with the first call.
const url = 'http://127.0.0.1:1/mcp'
const { client } = anyport.connect({ url }).remote
const context = new anyport.Context({ binding: 'internal' })
const refused = await client.send({ method: 'GET', url, headers: {} }, context).catch(error => error)
if (refused.code !== 'ERR_CONNECT') throw refused
`

const CONSUMER = `
import { connect, serve } from 'anyport'
import { fetchHandler } from 'anyport/fetch'
import { lambdaHandler } from 'anyport/lambda'
import { fromSdk, serve as serveSdk } from 'anyport/sdk'

export const onLambda: (event: { readonly httpMethod: 'GET'; readonly path: '/' }) => Promise<{ readonly body: string }> =
  lambdaHandler(fromSdk({ async connect() {} }))
// @ts-expect-error
serveSdk(42)
const server = connect({ command: 'node', args: ['server.js'] })
const running = await serve(server, { port: 0 })
// Types are real, not \`any\`: this line must be an error.
// @ts-expect-error
const wrong: number = running
// @ts-expect-error
serve(server, { port: 'three thousand' })
connect({ url: new URL('http://127.0.0.1:3000/mcp'), headers: { 'x-key': '1' } }).remote.client
export const handler: (...args: never[]) => unknown = fetchHandler
export { wrong }
`

const CONSUMER_CONFIG = {
  compilerOptions: {
    module: 'NodeNext',
    target: 'ESNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    types: [],
    skipLibCheck: false,
    noEmit: true,
  },
  files: ['consumer.ts'],
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
const compiler = resolve('node_modules/typescript/bin/tsc')
const folder = mkdtempSync(join(tmpdir(), 'anyport-smoke-'))
try {
  const [packed] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], process.cwd()),
  )
  console.log(`packed ${packed.entryCount} files, ${(packed.size / 1024).toFixed(1)} KiB`)

  write('package.json', JSON.stringify({ name: 'stranger', version: '1.0.0', private: true, type: 'module' }))
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, packed.filename)])

  const printed = run('npx', ['--no-install', 'anyport', '--version']).trim()
  if (printed !== version)
    throw new Error(`anyport --version printed "${printed}", package.json says "${version}"`)

  write('imports.js', IMPORTS)
  run(process.execPath, ['imports.js'])

  write('consumer.ts', CONSUMER)
  write('tsconfig.json', JSON.stringify(CONSUMER_CONFIG))
  run(process.execPath, [compiler, '--project', 'tsconfig.json'])
  console.log(`installed, ran, imported and type-checked anyport ${version}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function write(name, text) {
  writeFileSync(join(folder, name), text)
}

function run(command, args, cwd = folder) {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: 'utf8',
      timeout: STEP_LIMIT_MS,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${error.stdout ?? ''}${error.stderr ?? ''}`, {
      cause: error,
    })
  }
}

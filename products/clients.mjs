/** Command lines of others as clients of every face of ours. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { emptyHome, serveAt } from './anyport-at-work.mjs'

const LIMIT = 60_000

/** Resolves with what failed. */
export async function tryClients({ node, anyport, module }) {
  const home = emptyHome()
  const everything = [node, module('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio']
  const server = await serveAt(anyport, ['--', ...everything], home)
  const failures = []
  try {
    const sse = server.url.replace(/mcp$/, 'sse')
    const ours = words => [process.execPath, anyport, ...words]
    const places = [
      ['Streamable HTTP', { url: server.url }],
      ['HTTP+SSE', { url: sse }],
      ['serve --stdio', { command: ours(['serve', '--stdio', '--', ...everything]) }],
      ['connect, Streamable HTTP', { command: ours(['connect', server.url]) }],
      ['connect, HTTP+SSE', { command: ours(['connect', sse]) }],
    ]
    for (const [client, list, call] of [
      ['mcporter', mcporterList, mcporterCall],
      ['inspector', inspectorList, inspectorCall],
    ]) {
      for (const [place, to] of places) {
        for (const [what, argv, expected] of [
          ['list', list(to), /"name": ?"get-sum"/],
          ['call', call(to), /Echo: from outside/],
        ]) {
          const { code, output } = await run([node, ...argv(module)], home)
          const good = code === 0 && expected.test(output)
          console.log(`${good ? 'ok  ' : 'FAIL'} ${client}, ${place}: ${what}`)
          if (!good) failures.push(`${client}, ${place}: ${what} (${code}): ${output.slice(-400)}`)
        }
      }
    }
  } finally {
    await server.stop()
    home.remove()
  }
  return failures
}

const mcporter = module => module('mcporter/dist/cli.js')
const target = ({ url, command }) =>
  url === undefined
    ? ['--stdio', command[0], ...command.slice(1).flatMap(word => ['--stdio-arg', word]), '--name', 'it']
    : ['--http-url', url, '--allow-http', '--name', 'it']
const mcporterList = to => module => [mcporter(module), 'list', ...target(to), '--json', '--timeout', '30000']
const mcporterCall = to => module => [
  ...[mcporter(module), 'call', ...target(to), '--tool', 'echo'],
  ...['--args', JSON.stringify({ message: 'from outside' }), '--timeout', '30000'],
]

/** Its options come first, or it takes those of our command for its own. */
const inspector =
  (to, ...options) =>
  module => [
    ...[module('.bin/mcp-inspector'), '--cli', ...options],
    ...(to.url === undefined
      ? ['--', ...to.command]
      : ['--server-url', to.url, '--transport', transportOf(to.url)]),
  ]
const transportOf = url => (url.endsWith('/sse') ? 'sse' : 'http')
const inspectorList = to => inspector(to, '--method', 'tools/list')
const inspectorCall = to =>
  inspector(to, '--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=from outside')

async function run([command, ...argv], { folder, env }) {
  const child = spawn(command, argv, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => {
      output += text
    })
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  return { code, output }
}

/**
 * The cells of the conformance run. A cell is one path from the suite to a fixture server:
 *
 *   suite -> anyport's HTTP face -> [middle hop -> second anyport] -> fixture
 *
 * The wire of the face is the version that the suite speaks; the era of the fixture is the other end; the hop
 * between the two anyports has a binding and is pinned to an era. `direct` has no anyport at all: it shows that
 * the fixture itself is right.
 */
import { fileURLToPath } from 'node:url'
import { hostCommand } from '../runtimes/runtimes.mjs'

const anyport = fileURLToPath(new URL('../dist/bin/anyport.js', import.meta.url))

const gateway = fileURLToPath(new URL('gateway.mjs', import.meta.url))

const sdk = fileURLToPath(new URL('sdk.mjs', import.meta.url))

const wires = ['2025-11-25', '2026-07-28']
const eras = ['legacy', 'modern']
const pipeHops = ['none', 'stdio-legacy', 'stdio-modern', 'socket-legacy', 'socket-modern']
const httpHops = ['sse', 'http-legacy', 'http-modern']

const cell = (wire, era, hop) => ({ wire, era, hop, name: `face ${wire} | fixture ${era} | hop ${hop}` })
const cellsOf = hops => wires.flatMap(wire => eras.flatMap(era => hops.map(hop => cell(wire, era, hop))))
const sameEra = hop => [cell('2025-11-25', 'legacy', hop), cell('2026-07-28', 'modern', hop)]

/** The aggregated face of a gateway with one server and no prefix must look like the server. */
const gatewayHops = ['gateway']

/** Where `fetchHandler` is tried, and where its process lasts, so that it can keep sessions. */
const fetchRuntimes = ['node', 'bun', 'deno', 'workerd']
const lasting = ['node', 'bun', 'deno']
const fetchHops = names => names.map(name => `fetch-${name}`)
const sessionHops = names => names.map(name => `sessions-${name}`)

/** Named sets of cells, for `--cells`. */
export const cellSets = {
  direct: sameEra('direct'),
  'same-era': sameEra('none'),
  stdio: cellsOf(pipeHops),
  http: cellsOf(httpHops),
  gateway: cellsOf(gatewayHops),
  // In one process: fromSdk, and fetchHandler on a runtime, without sessions and with them.
  sdk: cellsOf(['sdk']),
  fetch: cellsOf([...fetchHops(fetchRuntimes), ...sessionHops(lasting)]),
  ...Object.fromEntries(
    fetchRuntimes.map(name => [
      `fetch-${name}`,
      cellsOf([...fetchHops([name]), ...sessionHops(lasting.filter(each => each === name))]),
    ]),
  ),
  // Without the runtimes that have to be installed first.
  all: cellsOf([...pipeHops, ...httpHops, ...gatewayHops, 'sdk', 'fetch-node', 'sessions-node']),
}

/** The runtime of a cell whose server is behind `fetchHandler`. */
export const runtimeOf = ({ hop }) => /^(?:fetch|sessions)-(.+)$/.exec(hop)?.[1]

export const directoryOf = ({ wire, era, hop }) => `${wire}_${era}_${hop}`

/**
 * Starts what the cell consists of, through `start(name, argv)` which resolves with what the process announced:
 * its URL or its socket. `fixtures` are the programs by era, `fetchModule` serves them on a runtime, and `socketPath` is
 * free for the cell to use.
 * Resolves with the URL for the suite.
 */
export async function openCell({ era, hop }, { start, fixtures, fetchModule, socketPath }) {
  const fixture = [process.execPath, fixtures[era]]
  if (hop === 'direct') return await start('fixture', [...fixture, '--http', '0'])

  const [binding, pinned] = hop.split('-')
  if (binding === 'fetch' || binding === 'sessions') {
    const origin = await start('host', hostCommand(pinned, fetchModule))
    return `${origin}/${era}/${binding === 'fetch' ? 'sessionless' : 'sessions'}`
  }
  if (binding === 'sdk') return await start('server', [process.execPath, sdk, era])
  const second = ['--', ...fixture, '--stdio']
  switch (binding) {
    case 'gateway':
      return await start('front', [process.execPath, gateway, ...fixture, '--stdio'])
    case 'none':
      return await front(start, [], second)
    case 'stdio':
      return await front(
        start,
        ['--protocol', pinned],
        ['--', process.execPath, anyport, 'serve', '--stdio', '--quiet', strict, ...second],
      )
    case 'socket': {
      const argv = ['serve', '--socket', socketPath, '--log-format', 'json', strict, ...second]
      await start('second', [process.execPath, anyport, ...argv])
      return await front(start, ['--protocol', pinned], [`socket:${socketPath}`])
    }
    case 'http':
      return await front(start, ['--protocol', pinned], [await secondOverHttp(start, second)])
    case 'sse':
      return await front(start, [], [(await secondOverHttp(start, second)).replace(/\/mcp$/, '/sse')])
    default:
      throw new TypeError(`unknown hop ${JSON.stringify(hop)}`)
  }
}

/** What is judged is what the server says, and not what is said in its place where it starts slowly. */
const strict = '--strict-start'
const listening = ['serve', '--port', '0', '--log-format', 'json']
const front = (start, options, target) => {
  const early = /^https?:/.test(target[0]) ? [] : [strict]
  return start('front', [process.execPath, anyport, ...listening, ...early, ...options, ...target])
}
const secondOverHttp = (start, target) =>
  start('second', [process.execPath, anyport, ...listening, strict, ...target])

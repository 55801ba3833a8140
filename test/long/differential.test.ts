/** Whatever is in between, a client sees the server as it is, but for what docs/eras.md lists. */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { httpLink, pipeLink, stdioLink } from '../fixtures/links.js'
import { anyport, anyportServe, type RunningCommand } from '../fixtures/run-anyport.js'
import { type Step, transcriptOf } from '../fixtures/transcript.js'

const VERSION = { legacy: '2025-11-25', modern: '2026-07-28' } as const
type Era = keyof typeof VERSION
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url))
const program = (era: Era) => [process.execPath, fixture(`everything-${era}`)]
/** Where a gateway serves one of its servers alone. */
const GATEWAY_PATH = '/servers/own/mcp'

describe.each(['legacy', 'modern'] as const)('a %s server', era => {
  let direct: readonly Step[]
  const started: RunningCommand[] = []
  const kept = (hop: RunningCommand) => {
    started.push(hop)
    return hop
  }
  const start = (...argv: string[]) => kept(anyportServe(...argv))

  beforeAll(async () => {
    const [node = '', script = ''] = program(era)
    direct = await transcriptOf(stdioLink(node, [script]), VERSION[era])
    expect(direct.length).toBe(33)
  })
  afterEach(() => Promise.all(started.splice(0).map(hop => hop.stop())))

  /** A first hop that stands before the server, for a second one to reach. */
  const behind = (protocol: string) =>
    start(
      '--socket',
      join(mkdtempSync(join(tmpdir(), 'anyport-')), 's'),
      '--protocol',
      protocol,
      '--',
      ...program(era),
    ).address()

  /** The same on HTTP: at all its addresses, or as one of the servers of a gateway. */
  const onHttp = async (path: string) => {
    if (path !== GATEWAY_PATH)
      return new URL(path, await start('--port', '0', '--', ...program(era)).address()).href
    const [command, ...args] = program(era)
    const config = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'mcp.json')
    const other = { command, args: [fixture('everything-modern')] }
    writeFileSync(config, JSON.stringify({ mcpServers: { own: { command, args }, other } }))
    return new URL(path, await start('--port', '0', '--config', config).address()).href
  }

  describe.each(['legacy', 'modern'] as const)('and a %s client', clientEra => {
    const version = VERSION[clientEra]

    it('over one hop, stdio to stdio', async () => {
      const hop = start('--stdio', '--', ...program(era))
      expectSame(await transcriptOf(pipeLink(hop.process), version), direct, era, [clientEra])
    })

    it('over one hop, stdio to HTTP', async () => {
      const hop = start('--port', '0', '--', ...program(era))
      expectSame(await transcriptOf(httpLink(await hop.address(), version), version), direct, era, [
        clientEra,
      ])
    })

    it.each(['legacy', 'modern'])('over two hops that speak %s, at either end stdio', async between => {
      const hop = start('--stdio', '--protocol', between, await behind('auto'))
      expectSame(await transcriptOf(pipeLink(hop.process), version), direct, era, [clientEra, between])
    })

    it.each(['legacy', 'modern'])('over two hops that speak %s, stdio to HTTP', async between => {
      const hop = start('--port', '0', '--protocol', between, await behind('auto'))
      expectSame(await transcriptOf(httpLink(await hop.address(), version), version), direct, era, [
        clientEra,
        between,
      ])
    })

    describe.each([
      ['legacy', ['--protocol', 'legacy'], '/mcp'],
      ['modern', ['--protocol', 'modern'], '/mcp'],
      ['legacy', ['--transport', 'sse'], '/sse'],
      ['modern', [], GATEWAY_PATH],
    ] as const)('over two hops with HTTP between, which is %s by %j at %s', (between, options, path) => {
      it('and at either end stdio', async () => {
        const hop = kept(anyport('connect', ...options, await onHttp(path)))
        expectSame(await transcriptOf(pipeLink(hop.process), version), direct, era, [clientEra, between])
      })

      it('at one end stdio, at the other HTTP', async () => {
        const hop = kept(anyport('serve', '--port', '0', ...options, await onHttp(path)))
        expectSame(await transcriptOf(httpLink(await hop.address(), version), version), direct, era, [
          clientEra,
          between,
        ])
      })
    })
  })
})

/** `eras` are those that the messages pass through, the server's own left out. */
function expectSame(
  actual: readonly Step[],
  direct: readonly Step[],
  server: Era,
  eras: readonly string[],
): void {
  const expected = server === 'modern' && eras.includes('legacy') ? direct.map(wrapped) : direct
  // Step by step, so that a difference is shown where it is.
  expect(actual.map(({ step }) => step)).toEqual(expected.map(({ step }) => step))
  for (const [index, step] of actual.entries()) expect(step).toEqual(expected[index])
}

/** A result that is no object passes the legacy era inside one, and so does its schema. */
function wrapped(step: Step): Step {
  const outcome = structuredClone(step.outcome) as {
    result?: { tools?: object[]; structuredContent?: unknown }
  }
  const { result } = outcome
  if (Array.isArray(result?.structuredContent)) {
    result.structuredContent = { result: result.structuredContent }
  }
  for (const tool of (result?.tools ?? []) as { outputSchema?: { type: string } }[]) {
    if (tool.outputSchema?.type !== 'array') continue
    const text = JSON.stringify(tool.outputSchema).replaceAll('"#/', '"#/properties/result/')
    Object.assign(tool, {
      outputSchema: { type: 'object', properties: { result: JSON.parse(text) }, required: ['result'] },
    })
  }
  return { ...step, outcome }
}

/** Whatever is in between, a client sees the server as it is, but for what docs/eras.md lists. */

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnyportProcess, anyportServe } from '../fixtures/anyport-process.js'
import { httpLink, pipeLink, stdioLink } from '../fixtures/links.js'
import { type Step, transcriptOf } from '../fixtures/transcript.js'

const VERSION = { legacy: '2025-11-25', modern: '2026-07-28' } as const
type Era = keyof typeof VERSION
const program = (era: Era) => [
  process.execPath,
  fileURLToPath(new URL(`../fixtures/everything-${era}.mjs`, import.meta.url)),
]

describe.each(['legacy', 'modern'] as const)('a %s server', era => {
  let direct: readonly Step[]
  const started: AnyportProcess[] = []
  const start = (...argv: string[]) => {
    const hop = anyportServe(...argv)
    started.push(hop)
    return hop
  }

  beforeAll(async () => {
    const [node = '', script = ''] = program(era)
    direct = await transcriptOf(stdioLink(node, [script]), VERSION[era])
    expect(direct.length).toBe(33)
  })
  afterAll(() => Promise.all(started.map(hop => hop.stop())))

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

  describe.each(['legacy', 'modern'] as const)('and a %s client', clientEra => {
    const version = VERSION[clientEra]

    it('over one hop, stdio to stdio', async () => {
      const hop = start('--stdio', '--', ...program(era))
      expectSame(await transcriptOf(pipeLink(hop.child), version), direct, era, [clientEra])
    })

    it('over one hop, stdio to HTTP', async () => {
      const hop = start('--port', '0', '--', ...program(era))
      expectSame(await transcriptOf(httpLink(await hop.address(), version), version), direct, era, [
        clientEra,
      ])
    })

    it.each(['legacy', 'modern'])('over two hops that speak %s, at either end stdio', async between => {
      const hop = start('--stdio', '--protocol', between, await behind('auto'))
      expectSame(await transcriptOf(pipeLink(hop.child), version), direct, era, [clientEra, between])
    })

    it.each(['legacy', 'modern'])('over two hops that speak %s, stdio to HTTP', async between => {
      const hop = start('--port', '0', '--protocol', between, await behind('auto'))
      expectSame(await transcriptOf(httpLink(await hop.address(), version), version), direct, era, [
        clientEra,
        between,
      ])
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

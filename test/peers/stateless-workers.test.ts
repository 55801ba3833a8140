/** A server on a platform that sends each request to any of its instances, and ends them as it likes. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const WORKER = fileURLToPath(new URL('../fixtures/fetch-worker.mjs', import.meta.url))

interface Instance {
  readonly child: ChildProcess
  readonly url: string
  /** Milliseconds of CPU time from import to the first answer. */
  readonly first: number
}

const children: ChildProcess[] = []

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

async function start(): Promise<Instance> {
  const child = spawn(process.execPath, [WORKER], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = await once(child.stdout, 'data')
  const { port, first, cpu } = JSON.parse(String(line))
  // On a machine that others keep busy, only what was spent here says something.
  return { child, url: `http://127.0.0.1:${port}/mcp`, first: Math.min(first, cpu) }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** What the n-th client asks: every other one in the legacy era, a third of each the list of tools. */
function requestOf(index: number): RequestInit {
  const legacy = index % 2 === 0
  const call = { name: 'pid', arguments: {} }
  const list = index % 6 < 2
  const method = list ? 'tools/list' : 'tools/call'
  const params = list ? {} : call
  const own = legacy
    ? { 'mcp-protocol-version': '2025-11-25' }
    : {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(list ? {} : { 'mcp-name': 'pid' }),
      }
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...own,
    } as Record<string, string>,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: index,
      method,
      params: legacy ? params : { ...params, _meta: META },
    }),
  }
}

it('three instances, one of which dies: 600 requests of both eras, all answered, and no session missed', async () => {
  const instances = await Promise.all([start(), start(), start()])
  expect(Math.min(...instances.map(({ first }) => first))).toBeLessThan(200)
  const alive = [...instances]
  const pids = new Set<string>()
  const failed: unknown[] = []
  const ask = async (index: number) => {
    const { url } = alive[index % alive.length] as Instance
    const response = await fetch(url, requestOf(index))
    const text = await response.text()
    if (response.status !== 200 || !text.includes('"result"')) failed.push([index, response.status, text])
    const pid = /"text":"(\d+)"/.exec(text)?.[1]
    if (pid !== undefined) pids.add(pid)
  }
  for (let index = 0; index < 600; index += 10) {
    if (index === 300) {
      const [victim] = alive.splice(1, 1)
      victim?.child.kill('SIGKILL')
    }
    await Promise.all(Array.from({ length: 10 }, (_, offset) => ask(index + offset)))
  }
  expect(failed).toEqual([])
  expect(pids.size).toBe(3)

  for (const method of ['GET', 'DELETE']) {
    const times: number[] = []
    for (let time = 0; time < 5; time++) {
      const begun = performance.now()
      const response = await fetch(alive[0]!.url, { method, headers: { accept: 'text/event-stream' } })
      await response.text()
      times.push(performance.now() - begun)
      expect(response.status).toBe(405)
    }
    // A stream would stay open. The best of them, since the machine may be busy.
    expect(Math.min(...times)).toBeLessThan(50)
  }
})

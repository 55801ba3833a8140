import { afterEach, describe, expect, it } from 'vitest'
import type { Handler, Middleware } from '../../../src/exchange/exchange.js'
import { serve } from '../../../src/node/serve.js'
import type { Server } from '../../../src/node/serve-options.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget } from '../../fixtures/memory-target.js'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ drainTimeout: 0 })
})

/** A server of which we know how many connections were opened, and how many still are. */
function counted(handler: Handler) {
  const target = memoryTarget(handler)
  const counts = { opened: 0, open: 0 }
  return {
    counts,
    target: {
      ...target,
      open: async () => {
        const channel = await target.open()
        counts.opened++
        counts.open++
        const close = channel.close.bind(channel)
        let closed = false
        channel.close = () => {
          if (!closed) counts.open--
          closed = true
          return close()
        }
        return channel
      },
    },
  }
}

describe('guards that are promised', () => {
  it('are waited for while the server starts', async () => {
    const { counts, target } = counted(everythingHandler().handler)
    const seen: string[] = []
    let give: (guards: readonly Middleware[]) => void = () => {}
    const guards = new Promise<readonly Middleware[]>(resolve => {
      give = resolve
    })
    let served: Server | undefined
    const serving = serve(target, { port: 0, guards }).then(server => {
      served = server
      servers.push(server)
      return server
    })
    await expect.poll(() => counts.opened).toBe(1)
    expect(served).toBeUndefined()
    give([
      next => (request, context) => {
        seen.push(request.method)
        return next(request, context)
      },
    ])
    const { url } = await serving
    const response = await fetch(url as string, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: {
          protocolVersion: '2025-11-25',
          capabilities: {},
          clientInfo: { name: 'test', version: '1' },
        },
      }),
    })
    expect(response.status).toBe(200)
    expect(seen).toContain('server/discover')
  })

  it('end the server where they cannot be had', async () => {
    const { counts, target } = counted(everythingHandler().handler)
    const guards = Promise.reject(new TypeError('no guards today'))
    await expect(serve(target, { port: 0, guards })).rejects.toThrow('no guards today')
    expect(counts.opened).toBe(1)
    await expect.poll(() => counts.open).toBe(0)
  })
})

/** Clients that do nothing wrong while others do: each of their calls must be answered, with their own words. */

import { Agent, request } from 'node:http'

export interface HonestReport {
  /** Calls that were answered rightly. */
  readonly answered: number
  /** Of the slowest, in milliseconds. */
  readonly slowest: number
}

const LIMIT = 30_000
const PAUSE = 25
const VERSION = '2026-07-28'

export function honestClients(url: string, violations: string[]): { stop(): Promise<HonestReport> } {
  let stopped = false
  let answered = 0
  let slowest = 0
  const agent = new Agent({ keepAlive: true })
  const run = async (name: string, call: (words: string) => Promise<string>) => {
    for (let count = 0; !stopped; count++) {
      const words = `${name} ${count}`
      const began = performance.now()
      try {
        const text = await call(words)
        if (text.includes(JSON.stringify(JSON.stringify({ words })).slice(1, -1))) answered++
        else violations.push(`the honest client ${words} was told ${text.slice(0, 500)}`)
      } catch (error) {
        violations.push(`the honest client ${words} was not answered: ${String(error)}`)
      }
      slowest = Math.max(slowest, Math.round(performance.now() - began))
      if (violations.length > 20) return
      await new Promise(resolve => setTimeout(resolve, PAUSE))
    }
  }
  const clients = [
    run('modern', modernClient(url, agent)),
    run('legacy', legacyClient(url, agent)),
    run('ephemeral', words => legacyClient(url, agent)(words)),
  ]
  return {
    async stop() {
      stopped = true
      await Promise.all(clients)
      agent.destroy()
      return { answered, slowest }
    },
  }
}

function modernClient(url: string, agent: Agent): (words: string) => Promise<string> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return async words => {
    const headers = {
      'mcp-protocol-version': VERSION,
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      'mcp-param-words': words,
    }
    const message = { id: words, method: 'tools/call', params: { name: 'echo', arguments: { words }, _meta } }
    return (await post(url, agent, headers, message)).text
  }
}

/** Begins with its first call. */
function legacyClient(url: string, agent: Agent): (words: string) => Promise<string> {
  let headers: Record<string, string> | undefined
  return async words => {
    if (headers === undefined) {
      const params = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'honest', version: '1' },
      }
      const { session } = await post(url, agent, {}, { id: 0, method: 'initialize', params })
      headers = { 'mcp-session-id': session ?? '', 'mcp-protocol-version': '2025-11-25' }
      await post(url, agent, headers, { method: 'notifications/initialized' })
    }
    const params = { name: 'echo', arguments: { words } }
    return (await post(url, agent, headers, { id: words, method: 'tools/call', params })).text
  }
}

function post(
  url: string,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  message: object,
): Promise<{ readonly text: string; readonly session: string | undefined }> {
  return new Promise((resolve, reject) => {
    const all = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    }
    const sent = request(url, { method: 'POST', agent, headers: all, timeout: LIMIT }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      answer.on('error', reject)
      answer.on('end', () => {
        const session = answer.headers['mcp-session-id']
        if (answer.statusCode === 200 || answer.statusCode === 202)
          resolve({ text, session: session as string | undefined })
        else reject(new Error(`${answer.statusCode} ${text.slice(0, 500)}`))
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${LIMIT} ms`)))
    sent.on('error', reject)
    sent.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
  })
}

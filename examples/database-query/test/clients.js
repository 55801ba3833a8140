/** Clients of both SDKs, in both eras, with the same face. */

import { Client as V2Client, StreamableHTTPClientTransport as V2Http } from '@modelcontextprotocol/client'
import { StdioClientTransport as V2Stdio } from '@modelcontextprotocol/client/stdio'
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as V1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as V1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  ElicitRequestSchema,
  ResourceListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'

const INFO = { name: 'test', version: '1.0.0' }
const LIMIT = 60_000

/**
 * @typedef {{ kind: 'stdio', command: string, args: string[], env: Record<string, string> }
 *   | { kind: 'http' | 'sse', url: string, headers?: Record<string, string> } | { kind: 'own', transport: any }} To
 * @typedef {object} Options
 * @property {((params: any) => any) | undefined} [elicit] answers questions; without it the client cannot be asked
 */

/**
 * @param {To} to
 * @param {Options} [options]
 */
export async function connectV1(to, { elicit } = {}) {
  const client = new V1Client(INFO, { capabilities: elicit === undefined ? {} : { elicitation: {} } })
  if (elicit !== undefined) client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicit(params))
  const seen = newSeen()
  client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void seen.listChanges++)
  const transport = v1Transport(to)
  await client.connect(transport)
  hearProgress(transport, seen)
  return faceOf(client, seen, 'legacy')
}

/**
 * @param {To} to
 * @param {'modern' | 'legacy'} era
 * @param {Options} [options]
 */
export async function connectV2(to, era, { elicit } = {}) {
  const client = new V2Client(INFO, {
    capabilities: elicit === undefined ? {} : { elicitation: { form: {} } },
    versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
  })
  if (elicit !== undefined) client.setRequestHandler('elicitation/create', ({ params }) => elicit(params))
  const seen = newSeen()
  client.setNotificationHandler('notifications/resources/list_changed', () => void seen.listChanges++)
  const transport = v2Transport(to)
  await client.connect(transport)
  hearProgress(transport, seen)
  if (era === 'modern') await client.listen({ resourcesListChanged: true })
  return faceOf(client, seen, era)
}

/**
 * @param {any} client
 * @param {ReturnType<typeof newSeen>} seen
 * @param {'modern' | 'legacy'} era
 */
function faceOf(client, seen, era) {
  /** @type {(name: string, parameters?: object, options?: object) => Promise<any>} */
  const call = (name, parameters = {}, options = {}) =>
    era === 'legacy' && client instanceof V1Client
      ? client.callTool({ name, arguments: /** @type {any} */ (parameters) }, undefined, {
          timeout: LIMIT,
          ...options,
        })
      : client.callTool({ name, arguments: parameters }, { timeout: LIMIT, ...options })
  return {
    era,
    seen,
    call,
    /** @type {(method: string, params: any) => Promise<any>} a request as it is */
    raw: (method, params) => client.request({ method, params }),
    /** @type {() => Promise<any>} */
    tools: () => client.listTools(),
    /** @type {() => Promise<any>} */
    resources: () => client.listResources(),
    /** @type {() => Promise<any>} */
    templates: () => client.listResourceTemplates(),
    /** @type {(uri: string) => Promise<any>} */
    read: uri => client.readResource({ uri }),
    /** @type {(params: any) => Promise<any>} */
    complete: params => client.complete(params),
    /** @type {() => string | undefined} */
    instructions: () => client.getInstructions(),
    /** @type {() => Promise<void>} */
    close: () => client.close(),
  }
}

function newSeen() {
  return { listChanges: 0, progress: /** @type {number[]} */ ([]) }
}

/**
 * In the order of the wire: where the last progress and the result arrive together, SDKs may handle the result first.
 * @param {any} transport
 * @param {ReturnType<typeof newSeen>} seen
 */
function hearProgress(transport, seen) {
  const receive = transport.onmessage
  transport.onmessage = (/** @type {any} */ message, /** @type {any} */ extra) => {
    if (message.method === 'notifications/progress') seen.progress.push(message.params.progress)
    receive(message, extra)
  }
}

/** @param {To} to @returns {any} */
function v1Transport(to) {
  if (to.kind === 'own') return to.transport
  if (to.kind === 'stdio') return new V1Stdio({ ...to, stderr: 'inherit' })
  const options = { requestInit: { headers: to.headers ?? {} } }
  return to.kind === 'http'
    ? new V1Http(new URL(to.url), options)
    : new SSEClientTransport(new URL(to.url), options)
}

/** @param {To} to @returns {any} */
function v2Transport(to) {
  if (to.kind === 'own') return to.transport
  if (to.kind === 'stdio') return new V2Stdio({ ...to, stderr: 'inherit' })
  if (to.kind === 'sse') throw new TypeError('SDK v2 has no HTTP+SSE')
  return new V2Http(new URL(to.url), { requestInit: { headers: to.headers ?? {} } })
}

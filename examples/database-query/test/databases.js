/** The two databases that everything is tried with, and a client in the same process. */

import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { fromSdk, toSdkTransport } from 'anyport/sdk'
import { Database } from '../src/database.js'
import { embeddedSource } from '../src/embedded/embedded-source.js'
import { postgresSource } from '../src/postgres/postgres-source.js'
import { newQuestions } from '../src/questions.js'
import { schemaWatch } from '../src/schema-watch.js'
import { makeServer } from '../src/server.js'
import { connectV2 } from './clients.js'
import { postgresPrograms, startPostgres } from './postgres-server.js'

const LIMITS = { timeout: 20_000, maxRows: 1_000, maxBytes: 100_000 }

const programs = postgresPrograms()

export const DATABASES = [
  {
    name: 'embedded',
    skip: undefined,
    async start() {
      return {
        name: 'shop',
        postgres: undefined,
        sourceOf: (/** @type {'app_reader' | 'app_writer'} */ _role) =>
          embeddedSource({ warn: console.error }),
        async stop() {},
      }
    },
  },
  {
    name: "the system's PostgreSQL",
    skip: programs === undefined ? 'there is no PostgreSQL on this system' : undefined,
    async start() {
      const postgres = await startPostgres(/** @type {string} */ (programs))
      return {
        name: 'postgres',
        postgres,
        sourceOf: (/** @type {'app_reader' | 'app_writer'} */ role) =>
          postgresSource(postgres.urlOf(role), { allowSuperuser: false, warn: () => {} }),
        stop: postgres.stop,
      }
    },
  },
]

/**
 * The server in this process, for as many clients as one likes.
 * @param {import('../src/source.js').Source} source
 * @param {Partial<typeof LIMITS> & { allowWrites?: boolean, schemaInterval?: number }} [options]
 */
export function startServer(source, { allowWrites = false, schemaInterval = 0, ...limits } = {}) {
  const all = { ...LIMITS, ...limits }
  const database = new Database(source, all)
  const watch = schemaWatch(database, schemaInterval)
  const parts = { database, limits: all, allowWrites, watch, questions: newQuestions() }
  const target = fromSdk(transport => serveStdio(() => makeServer(parts), { transport }))
  /** @type {(() => Promise<void>)[]} */
  const closing = []
  return {
    database,
    watch,
    /**
     * @param {'modern' | 'legacy'} era
     * @param {import('./clients.js').Options} [clientOptions]
     * @param {(transport: any) => void} [tap] may listen in, or change what passes
     */
    async connect(era = 'modern', clientOptions, tap = () => {}) {
      const transport = toSdkTransport(target)
      tap(transport)
      const client = await connectV2({ kind: 'own', transport }, era, clientOptions)
      closing.push(client.close)
      return client
    },
    async close() {
      for (const close of closing) await close()
      watch.close()
      await database.close()
    },
  }
}

/**
 * Waits until it is so; fails after the limit.
 * @param {() => unknown} holds
 * @param {string} what
 */
export async function eventually(holds, what, limit = 15_000) {
  for (const until = Date.now() + limit; ; ) {
    const value = await holds()
    if (value) return value
    if (Date.now() > until) throw new Error(`Not within ${limit} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

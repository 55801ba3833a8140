#!/usr/bin/env node
/** The program: a local tool where a client starts it, a hosted service elsewhere. */

import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { apiKeyFile } from 'anyport'
import { serve } from 'anyport/sdk'
import { Database } from '../src/database.js'
import { embeddedSource } from '../src/embedded/embedded-source.js'
import { HELP, readOptions } from '../src/options.js'
import { postgresSource } from '../src/postgres/postgres-source.js'
import { newQuestions } from '../src/questions.js'
import { schemaWatch } from '../src/schema-watch.js'
import { makeServer } from '../src/server.js'

/** Milliseconds that calls may take to finish once it is asked to end. */
const DRAIN_LIMIT = 2_000

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(HELP)
  else await run(options)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}

/** @param {ReturnType<typeof readOptions>} options */
async function run({ allowSuperuser, allowWrites, keys, schemaInterval, ...limits }) {
  const url = process.env.DATABASE_URL
  const source = url ? postgresSource(url, { allowSuperuser, warn: say }) : embeddedSource({ warn: say })
  const database = new Database(source, limits)
  const watch = schemaWatch(database, schemaInterval)
  const parts = { database, limits, allowWrites, watch, questions: newQuestions() }

  const server = await serve(transport => serveStdio(() => makeServer(parts), { transport }), {
    ...(keys === undefined ? {} : { authentication: { methods: [apiKeyFile({ file: keys })] } }),
  })
  if (server.url !== undefined) say(`listening on ${server.url} and ${server.sseUrl}`)

  let isEnding = false
  const end = async () => {
    if (isEnding) return
    isEnding = true
    watch.close()
    await server.close({ drainTimeout: DRAIN_LIMIT })
    await database.close()
    process.exit()
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  void server.closed.then(end)
}

/** Standard output belongs to the protocol. @param {string} text */
function say(text) {
  process.stderr.write(`database-query: ${text}\n`)
}

/**
 * The client that the suite tests: a client of the official SDK that knows stdio alone, in front of `anyport connect`.
 * The suite starts it for each scenario, `node client.mjs URL`, and says in the environment which one it is, at which
 * version, and what a person would know: a client that was registered, or which tools to call.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client as ModernClient } from '@modelcontextprotocol/client'
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const anyport = fileURLToPath(new URL('../dist/bin/anyport.js', import.meta.url))
/** A browser whose person agrees to everything. */
const browser = fileURLToPath(new URL('../test/fixtures/browser.mjs', import.meta.url))
/** The scenario with client metadata documents wants this one. */
const CLIENT_METADATA = 'https://conformance-test.local/client-metadata.json'
const INFO = { name: 'anyport-conformance', version: '1.0.0' }
const STATELESS = '2026-07-28'

const call = name => client => client.callTool({ name, arguments: {} })
const answering = content => ({
  capabilities: { elicitation: { form: { applyDefaults: true } } },
  elicit: () => ({ action: 'accept', content }),
})

/** What a client does in a scenario once it is connected, and what it declares and answers. */
const scripts = {
  initialize: { run: client => client.listTools() },
  tools_call: { run: client => client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } }) },
  'elicitation-sep1034-client-defaults': {
    ...answering({}),
    run: call('test_client_elicitation_defaults'),
  },
  'sse-retry': { run: call('test_reconnection') },
  'request-metadata': {
    capabilities: { roots: {}, sampling: {}, elicitation: {} },
    run: client => client.listTools(),
  },
  'sep-2322-client-request-state': {
    ...answering({ confirmed: true }),
    async run(client) {
      const asked = call('test_mrtr_echo_state')(client)
      // While the first one may wait for its answers: what belongs to it must not leak into this one.
      await call('test_mrtr_unrelated')(client)
      await asked
      await call('test_mrtr_no_state')(client)
      // What is judged is that nobody asks again. Anyport hands the result on as it is, and the SDK refuses it.
      await call('test_mrtr_no_result_type')(client).catch(error => {
        if (error.code !== 'INVALID_RESULT') throw error
      })
    },
  },
  'http-standard-headers': {
    async run(client) {
      for (const { name } of (await client.listTools()).tools) await call(name)(client)
      for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri })
      for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name })
    },
  },
  'http-custom-headers': {
    async run(client, { toolCalls }) {
      for (const asked of toolCalls) await client.callTool(asked)
    },
  },
  'http-invalid-tool-headers': {
    async run(client) {
      for (const { name } of (await client.listTools()).tools) {
        await client.callTool({ name, arguments: { region: 'us-west1' } })
      }
    },
  },
  'json-schema-ref-no-deref': { run: client => client.listTools() },
  'json-schema-2020-12-preservation': {
    async run(client) {
      const { tools } = await client.listTools()
      const { inputSchema } = tools.find(({ name }) => name === 'json_schema_2020_12_tool')
      await client.callTool({ name: 'json_schema_echo', arguments: { schema: inputSchema } })
    },
  },
}
/** All scenarios on authorization. */
const signedIn = {
  async run(client) {
    await client.listTools()
    await call('test-tool')(client)
  },
}

const {
  MCP_CONFORMANCE_SCENARIO: scenario,
  MCP_CONFORMANCE_PROTOCOL_VERSION: version,
  MCP_CONFORMANCE_CONTEXT: known = '{}',
} = process.env
const url = process.argv.at(-1)
const context = JSON.parse(known)
const script = scenario.startsWith('auth/') ? signedIn : scripts[scenario]
if (script === undefined) throw new TypeError(`no script for the scenario ${scenario}`)

const folder = mkdtempSync(join(tmpdir(), 'anyport-conformance-'))
const client = version === STATELESS ? modernClient(script) : legacyClient(script)
try {
  await client.connect(transportTo(url))
  await script.run(client, context)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await client.close()
  rmSync(folder, { recursive: true, force: true })
}

function modernClient({ capabilities = {}, elicit }) {
  const client = new ModernClient(INFO, { capabilities, versionNegotiation: { mode: { pin: version } } })
  if (elicit !== undefined) client.setRequestHandler('elicitation/create', elicit)
  return client
}

function legacyClient({ capabilities = {}, elicit }) {
  const client = new LegacyClient(INFO, { capabilities })
  if (elicit !== undefined) client.setRequestHandler(ElicitRequestSchema, elicit)
  return client
}

function transportTo(target) {
  const { options, env } = registration(context)
  const Transport = version === STATELESS ? ModernStdio : LegacyStdio
  return new Transport({
    command: process.execPath,
    args: [
      ...[anyport, 'connect', '--era-cache', 'off', '--credentials', folder],
      ...['--client-metadata-url', CLIENT_METADATA, ...options, target],
    ],
    env: { ...process.env, ...env, BROWSER: `${process.execPath} ${browser} ${join(folder, 'browser.log')}` },
    stderr: 'inherit',
  })
}

/** What a person has been told by an authorization server beforehand, as `anyport connect` takes it. */
function registration({ client_id: id, client_secret: secret, private_key_pem: key }) {
  const options = id === undefined ? [] : ['--client-id', id]
  if (key !== undefined) {
    const file = join(folder, 'key.pem')
    writeFileSync(file, key, { mode: 0o600 })
    options.push('--client-key', file)
  }
  return { options, env: secret === undefined ? {} : { ANYPORT_CLIENT_SECRET: secret } }
}

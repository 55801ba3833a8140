/** The desktop bundle does what its manifest says, on a machine that has nothing but it and Node. */

import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getMcpConfigForManifest, type McpbManifestAny } from '@anthropic-ai/mcpb'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, it } from 'vitest'
import { tree } from './tree.js'

const HERE = fileURLToPath(new URL('..', import.meta.url))

it('is packed, validated, unpacked, and started as its manifest says', async () => {
  const folder = tree({})
  const bundle = join(folder, 'file-search.mcpb')
  run('scripts/bundle.mjs', '--out', bundle)
  const mcpb = 'node_modules/@anthropic-ai/mcpb/dist/cli/cli.js'
  expect(run(mcpb, 'info', bundle)).toContain('file-search.mcpb')
  const unpacked = join(folder, 'unpacked')
  run(mcpb, 'unpack', bundle, unpacked)
  expect(run(mcpb, 'validate', join(unpacked, 'manifest.json'))).toContain('passes')

  const manifest: McpbManifestAny = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'))
  expect(manifest.compatibility?.platforms).toEqual([process.platform])
  // Some hosts lose modes when they unpack.
  const ripgrep = join(
    unpacked,
    `server/node_modules/@vscode/ripgrep-${process.platform}-${process.arch}/bin/rg`,
  )
  if (process.platform !== 'win32') chmodSync(ripgrep, 0o644)

  const searched = [tree({ 'a.txt': 'needle\n' }), tree({ 'b c.txt': 'needle\n' })]
  const options = {
    manifest,
    extensionPath: unpacked,
    systemDirs: { HOME: homedir() },
    userConfig: { folders: searched },
    pathSeparator: sep,
  }
  const config = await getMcpConfigForManifest(options)
  expect(config?.args?.slice(1)).toEqual(searched)
  expect(await getMcpConfigForManifest({ ...options, userConfig: {} })).toBeUndefined()

  const {
    command,
    args = [],
    env = {},
  } = config as { command: string; args?: string[]; env?: Record<string, string> }
  const program = command === 'node' ? process.execPath : command
  const client = new Client({ name: 'host', version: '1' })
  await client.connect(
    new StdioClientTransport({ command: program, args, env, cwd: folder, stderr: 'inherit' }),
  )
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(manifest.tools?.map(({ name }) => name))
  const result = await client.callTool({ name: 'search_text', arguments: { pattern: 'needle' } })
  expect(result.structuredContent).toMatchObject({ matches: 2, problems: [] })
  await client.close()
})

function run(script: string, ...args: readonly string[]): string {
  return execFileSync(process.execPath, [join(HERE, script), ...args], { cwd: HERE, encoding: 'utf8' })
}

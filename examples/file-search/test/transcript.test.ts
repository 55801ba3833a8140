/** The transcript in the README is what happens. `npm run transcript` writes it anew. */

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { connect, program, type Way } from './program.js'
import { tree } from './tree.js'

const README = fileURLToPath(new URL('../README.md', import.meta.url))
const BLOCK = /(<!-- transcript -->\n\n```text\n)([\s\S]*?)(```\n)/

const SESSION = [
  ['find_files', { name: 'srvts' }],
  ['search_text', { pattern: 'timeout', context: 1, maxResults: 2 }],
  ['search_text', { pattern: 'timeout', context: 1, maxResults: 2, cursor: '' }],
  ['search_text', { pattern: 'retry(', regex: true }],
  ['search_text', { pattern: 'retry\\(\\d+\\)', regex: true, include: ['*.ts'] }],
  ['read_lines', { path: 'docs/limits.md', from: 3, count: 2 }],
  ['read_lines', { path: '../other/secrets.env' }],
] as const

const PROJECT = {
  '.gitignore': 'dist/\n',
  'dist/server.js': 'const timeout = 30\n',
  'docs/limits.md': '# Limits\n\nEach request has a timeout.\nIt is 30 seconds.\nChange it by --timeout.\n',
  'src/server.ts':
    "import { retry } from './retry.js'\n\nconst timeout = 30\n\nexport const serve = () => retry(3)\n",
  'src/retry.ts': 'export function retry(times: number) {\n  return times\n}\n',
}

const WAYS: readonly Way[] = ['v1 stdio', 'v1 sse', 'v2 http modern']

it('the transcript of the README is what happens, on each transport', async () => {
  const readme = readFileSync(README, 'utf8')
  const folder = tree(PROJECT)
  const over = await program([folder])
  const said = await Promise.all(WAYS.map(way => transcript(way, folder, over)))
  expect(new Set(said).size).toBe(1)
  const update = expect.getState().snapshotState as unknown as { readonly _updateSnapshot?: string }
  if (update?._updateSnapshot === 'all')
    writeFileSync(
      README,
      readme.replace(BLOCK, (_, head, __, end) => head + said[0] + end),
    )
  else expect(BLOCK.exec(readme)?.[2]).toBe(said[0])
})

async function transcript(
  way: Way,
  folder: string,
  over: Awaited<ReturnType<typeof program>>,
): Promise<string> {
  const client = await connect(way, [folder], over)
  let cursor = ''
  const parts: string[] = []
  for (const [name, args] of SESSION) {
    const known = 'cursor' in args ? { ...args, cursor } : args
    const { content, structuredContent, isError } = await client.call(name, known)
    cursor = structuredContent?.nextCursor ?? ''
    const shown = JSON.stringify('cursor' in args ? { ...args, cursor: '…' } : args)
    const text = (content[0]?.text ?? '').trimEnd()
    const links = content.filter(({ type }) => type === 'resource_link').length
    const told = cursor === '' ? text : text.replace(cursor, '…')
    parts.push(
      `> ${name} ${shown}\n${isError ? 'Error: ' : ''}${told}\n${links > 0 ? `[${links} ${links === 1 ? 'link' : 'links'}]\n` : ''}`,
    )
  }
  await client.close()
  return parts.join('\n')
}

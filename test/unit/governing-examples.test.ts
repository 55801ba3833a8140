import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'

// Real servers, on machines that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(ROOT, '.cache', `examples-${process.pid}`)
const [, alone = ''] = readFileSync(join(ROOT, 'docs/governing.md'), 'utf8').split('## Each part alone')
const examples = [...alone.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)
const titles = examples.map(code => /import \{ (.*) \} from 'anyport'/.exec(code)?.[1] ?? '')

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  // All at once, so that what they have in common is compiled once.
  await build({
    entryPoints: examples.map((_, index) => ({ in: `example:${index}`, out: String(index) })),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    target: 'es2022',
    plugins: [
      {
        name: 'examples',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^example:/ }, ({ path }) => ({ path, namespace: 'example' }))
          onResolve({ filter: /^anyport$/ }, () => ({ path: join(ROOT, 'src/index.ts') }))
          onLoad({ filter: /.*/, namespace: 'example' }, ({ path }) => ({
            contents: examples[Number(path.slice('example:'.length))] as string,
            loader: 'ts',
            resolveDir: ROOT,
          }))
        },
      },
    ],
  })
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it.each(titles.map((title, index) => [title, index] as const))(
  'the example of %s says what it does',
  async (_title, index) => {
    const lines: string[] = []
    const log = vi
      .spyOn(console, 'log')
      .mockImplementation((...words) => void lines.push(words.map(String).join(' ')))
    try {
      await import(pathToFileURL(join(folder, `${index}.mjs`)).href)
    } finally {
      log.mockRestore()
    }
    const said = [...(examples[index] as string).matchAll(/^console\.log\(.*\) \/\/ (.*)$/gm)].map(
      ([, text]) => text,
    )
    expect(said.length).toBeGreaterThan(0)
    expect(lines).toEqual(said)
  },
)

it('there is one for each part', () => {
  const parts = [
    ...[
      'addressGuard',
      'hostGuard',
      'originGuard',
      'cors',
      'trustedProxy',
      'apiKeys',
      'jwt',
      'introspection',
    ],
    ...['limits', 'authorization', 'auditLog'],
  ]
  for (const part of parts)
    expect(
      titles.some(title => title.split(', ').includes(part)),
      part,
    ).toBe(true)
})

/**
 * Makes the desktop bundle: all code in a few files, ripgrep for each platform beside it, and the manifest, packed by the official tool.
 *   npm run bundle                                                     for this platform
 *   npm run bundle -- --platforms darwin-arm64,darwin-x64,win32-x64    for these, by what npm has for them
 *   npm run bundle -- --out FILE
 */

import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const SYSTEMS = ['darwin', 'win32', 'linux']
const read = path => JSON.parse(readFileSync(path, 'utf8'))

const { version } = read(join(HERE, 'package.json'))
const { values } = parseArgs({
  options: {
    platforms: { type: 'string', default: `${process.platform}-${process.arch}` },
    out: { type: 'string' },
  },
})
const platforms = values.platforms.split(',')
for (const platform of platforms)
  if (!SYSTEMS.includes(platform.split('-')[0]))
    throw new TypeError(`No platform of desktop bundles: ${platform}`)
const out = resolve(
  values.out ?? join(HERE, `file-search-${version}-${platforms.length === 1 ? platforms[0] : 'all'}.mcpb`),
)

const stage = mkdtempSync(join(tmpdir(), 'file-search-bundle-'))
try {
  const server = join(stage, 'server')
  mkdirSync(server)
  const inputs = await bundleCode(server)
  copyRipgrep(join(server, 'node_modules'))
  writeFileSync(join(server, 'package.json'), `${JSON.stringify({ type: 'module', private: true })}\n`)
  writeFileSync(join(stage, 'LICENSES.txt'), licencesOf(inputs))
  const manifest = read(join(HERE, 'manifest.json'))
  const systems = SYSTEMS.filter(system => platforms.some(platform => platform.startsWith(`${system}-`)))
  const compatibility = { ...manifest.compatibility, platforms: systems }
  writeFileSync(
    join(stage, 'manifest.json'),
    `${JSON.stringify({ ...manifest, version, compatibility }, null, 2)}\n`,
  )
  mcpb('validate', join(stage, 'manifest.json'))
  mcpb('pack', stage, out)
  console.log(
    `${relative(process.cwd(), out)}: ${(statSync(out).size / 2 ** 20).toFixed(1)} MiB for ${platforms.join(', ')}`,
  )
} finally {
  rmSync(stage, { recursive: true })
}

/** Gives the files that went into it. */
async function bundleCode(folder) {
  const { metafile } = await build({
    entryPoints: { main: join(HERE, 'dist/main.js') },
    outdir: folder,
    bundle: true,
    // What only HTTP needs is loaded where there is HTTP.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    external: ['@vscode/ripgrep'],
    // Some of it was written for CommonJS.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'\nconst require = requireOf(import.meta.url)",
    },
  })
  return Object.keys(metafile.inputs).map(input => resolve(input))
}

function copyRipgrep(modules) {
  const installed = join(HERE, 'node_modules')
  cpSync(join(installed, '@vscode/ripgrep'), join(modules, '@vscode/ripgrep'), { recursive: true })
  const missing = platforms.filter(platform => {
    const name = `@vscode/ripgrep-${platform}`
    const there = existsSync(join(installed, name))
    if (there) cpSync(join(installed, name), join(modules, name), { recursive: true })
    return !there
  })
  if (missing.length === 0) return
  // npm installs for other platforms only where it is forced to.
  const ripgrep = read(join(installed, '@vscode/ripgrep/package.json')).version
  const elsewhere = mkdtempSync(join(tmpdir(), 'file-search-platforms-'))
  try {
    writeFileSync(join(elsewhere, 'package.json'), '{ "private": true }')
    const packages = missing.map(platform => `@vscode/ripgrep-${platform}@${ripgrep}`)
    npm(['install', '--force', '--ignore-scripts', '--no-package-lock', '--prefix', elsewhere, ...packages])
    cpSync(join(elsewhere, 'node_modules/@vscode'), join(modules, '@vscode'), { recursive: true })
  } finally {
    rmSync(elsewhere, { recursive: true })
  }
}

/** The licences of all packages that are in the bundle. */
function licencesOf(inputs) {
  const folders = new Set(
    inputs.flatMap(input => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(input)?.[0] ?? []),
  )
  folders.add(resolve(HERE, '../..'))
  folders.add(join(HERE, 'node_modules/@vscode/ripgrep'))
  const texts = [...folders].map(folder => {
    const { name, version, license } = read(join(folder, 'package.json'))
    const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry))
    return `${name} ${version} (${license})\n\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8')}`
  })
  return texts.sort().join(`\n${'-'.repeat(80)}\n\n`)
}

function mcpb(...args) {
  execFileSync(process.execPath, [join(HERE, 'node_modules/@anthropic-ai/mcpb/dist/cli/cli.js'), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

function npm(args) {
  const command = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' })
}

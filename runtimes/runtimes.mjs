/** The runtimes that anyport is tried on, and how each serves a module with `export default { fetch }`. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = relative => fileURLToPath(new URL(relative, import.meta.url))
const modules = 'node_modules/'

/** The oldest Node is the one that runs this; the others come with `npm ci --prefix runtimes`. */
const programs = {
  node: process.execPath,
  'node-22': path(`${modules}node-22/bin/node`),
  'node-24': path(`${modules}node-24/bin/node`),
  bun: path(`${modules}@oven/bun-linux-x64/bin/bun`),
  deno: path(`${modules}@deno/linux-x64-glibc/deno`),
  workerd: path(`${modules}@cloudflare/workerd-linux-64/bin/workerd`),
}

export const runtimes = Object.keys(programs)

/** Throws where one of them is not installed. */
export function checkRuntimes(names) {
  const missing = names.find(name => !existsSync(programs[name]))
  if (missing !== undefined)
    throw new Error(`${missing} is not installed. Install it with: npm ci --prefix runtimes --ignore-scripts`)
}

export const isNode = runtime => runtime.startsWith('node')

/** The command that serves a module behind all adapters for Node and Lambda. */
export const adaptersCommand = (runtime, module) => [programs[runtime], path('hosts/adapters.mjs'), module]

/** The command that has the runtime serve a module, one file. It says `listening on URL` on standard error. */
export function hostCommand(runtime, module) {
  if (runtime === 'bun') return [programs.bun, path('hosts/bun.mjs'), module]
  if (runtime === 'workerd') return [process.execPath, path('hosts/workerd.mjs'), programs.workerd, module]
  if (runtime === 'deno') {
    // What an endpoint needs, and no more.
    const allowed = ['--no-prompt', '--allow-net', `--allow-read=${module}`]
    return [
      programs.deno,
      'run',
      '--quiet',
      '--no-config',
      '--no-lock',
      ...allowed,
      path('hosts/deno.mjs'),
      module,
    ]
  }
  return [programs[runtime], path('hosts/node.mjs'), module]
}

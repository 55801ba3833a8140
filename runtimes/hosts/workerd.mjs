/**
 * `node workerd.mjs WORKERD MODULE`: has workerd, which Cloudflare Workers run on, serve the module. Says where it listens, and
 * ends with it.
 */
import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [workerd, module] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'anyport-workerd-'))
const config = join(folder, 'config.capnp')
// What a configuration embeds lies beside it.
copyFileSync(module, join(folder, 'module.mjs'))
writeFileSync(
  config,
  `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "module.mjs", esModule = embed "module.mjs")],
    compatibilityDate = "2026-04-01",
    compatibilityFlags = ["nodejs_als"],
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
)
const child = spawn(workerd, ['serve', config, '--control-fd=3'], {
  stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
})
createInterface({ input: child.stdio[3] }).on('line', line => {
  const { event, port } = JSON.parse(line)
  if (event === 'listen') console.error(`listening on http://127.0.0.1:${port}`)
})
child.once('exit', code => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 1)
})
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => child.kill('SIGKILL'))

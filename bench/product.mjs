/** The life of one product as a process: started, found listening, looked at in /proc, and always stopped. */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Of /proc/PID/stat: Linux has counted in hundredths of a second on every platform Node runs on. */
const MS_PER_TICK = 10
const PAGE_KIB = 4
const COLLECT = fileURLToPath(new URL('collect-on-signal.cjs', import.meta.url))
const running = new Set()

export class Product {
  #child
  #stderr = ''
  #exit
  #listening
  port = 0
  spawnedAt = 0

  /**
   * `launch(port, remote)` gives `{ command, args }`, where `remote` is the address of a server that runs already; a product that
   * announces itself takes port 0 and prints where it listens. `settledMemory` needs `collectable`.
   */
  static async start(lane, { collectable = false, remote } = {}) {
    const product = new Product()
    product.name = lane.name
    product.port = lane.announces ? 0 : await freePort()
    const { command, args } = lane.launch(product.port, remote)
    const collecting = collectable ? { NODE_OPTIONS: `--require "${COLLECT}"` } : {}
    const env = { ...process.env, ...lane.env, ...collecting }
    product.spawnedAt = performance.now()
    const child = spawn(command, args, {
      stdio: lane.pipe ? ['pipe', 'pipe', 'pipe'] : ['ignore', 'ignore', 'pipe'],
      env,
    })
    product.#child = child
    running.add(product)
    product.#exit = new Promise(resolve => {
      child.once('error', error => resolve(error.message))
      child.once('exit', (code, signal) => resolve(`exit ${code ?? signal}`))
    })
    product.#listening = lane.announces ? product.#announced() : Promise.resolve()
    product.#listening.catch(() => {})
    if (!lane.announces) product.#readStderr(() => {})
    return product
  }

  get pid() {
    return this.#child.pid
  }

  get stdin() {
    return this.#child.stdin
  }

  get stdout() {
    return this.#child.stdout
  }

  get alive() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves once the product says where it listens; at once for those that do not say. */
  async listening() {
    await this.#listening
  }

  /** The last lines the product wrote, for error messages. */
  get lastWords() {
    return this.#stderr.trim().split('\n').slice(-3).join(' | ').slice(-400)
  }

  /** CPU time in ms spent so far by the product's processes, without the echo servers behind it. */
  cpu() {
    let ticks = 0
    for (const { fields } of this.#processes().product) ticks += Number(fields[11]) + Number(fields[12])
    return ticks * MS_PER_TICK
  }

  /** Resident memory in KiB: of the product's processes, and of the echo servers behind it. */
  memory() {
    const { product, echo } = this.#processes()
    const sum = list => list.reduce((total, { fields }) => total + Number(fields[21]) * PAGE_KIB, 0)
    return { product: sum(product), echo: sum(echo), echoes: echo.length }
  }

  /** Memory after its garbage has been collected, once it has stopped moving, or after `limit` ms. */
  async settledMemory(limit = 4000) {
    // Twice: what the first one finalises, the second one frees.
    for (let time = 0; time < 2; time++) {
      await sleep(300)
      if (this.alive) this.#child.kill('SIGUSR2')
    }
    const deadline = performance.now() + limit
    const seen = []
    for (;;) {
      await sleep(200)
      seen.push(this.memory())
      const last = seen.slice(-5).map(({ product }) => product)
      const still = last.length === 5 && Math.max(...last) - Math.min(...last) < 256
      if (still || performance.now() > deadline) return seen.at(-1)
    }
  }

  /** Asks it to stop, then makes it; nothing of its process tree is left. Says whether it needed force. */
  async stop(patience = 6000) {
    if (!running.has(this)) return true
    const tree = this.#tree()
    if (this.alive) this.#child.kill('SIGTERM')
    const obeyed = await Promise.race([this.#exit.then(() => true), sleep(patience, false, { ref: false })])
    if (!obeyed) this.#child.kill('SIGKILL')
    for (let wait = 0; wait < 20 && tree.some(isSameProcess); wait++) await sleep(50)
    killAll(tree)
    running.delete(this)
    return obeyed
  }

  static async stopAll() {
    await Promise.all([...running].map(product => product.stop(2000)))
  }

  /** For the last moment of the harness: no waiting. */
  static killAllNow() {
    for (const product of running) killAll(product.#tree())
    running.clear()
  }

  #announced() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no listening line within 15 s')), 15_000)
      this.#exit.then(how => {
        clearTimeout(timer)
        reject(new Error(`${how} before listening: ${this.lastWords}`))
      })
      this.#readStderr(line => {
        if (!line.includes('"listening"')) return
        const { event, url } = JSON.parse(line)
        if (event !== 'listening') return
        clearTimeout(timer)
        this.port = Number(new URL(url).port)
        resolve()
      })
    })
  }

  #readStderr(onLine) {
    let rest = ''
    this.#child.stderr.setEncoding('utf8')
    this.#child.stderr.on('data', chunk => {
      this.#stderr = (this.#stderr + chunk).slice(-4000)
      if (this.port !== 0) return
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) if (line.startsWith('{')) onLine(line)
    })
  }

  /** The product's tree in two parts. A process is an echo server if that is the script it runs. */
  #processes() {
    const parts = { product: [], echo: [] }
    for (const entry of this.#tree()) {
      const script = entry.pid === this.pid ? '' : (argumentsOf(entry.pid)[1] ?? '')
      parts[script.endsWith('echo-server.mjs') ? 'echo' : 'product'].push(entry)
    }
    return parts
  }

  #tree() {
    const root = this.alive ? statOf(this.pid) : undefined
    if (root === undefined) return []
    const children = new Map()
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const entry = statOf(Number(name))
      if (entry === undefined) continue
      const parent = Number(entry.fields[1])
      if (children.has(parent)) children.get(parent).push(entry)
      else children.set(parent, [entry])
    }
    const tree = [root]
    for (const entry of tree) tree.push(...(children.get(entry.pid) ?? []))
    return tree
  }
}

/** The fields of /proc/PID/stat from the state on (index 0), or nothing if the process is gone. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return { pid, fields: text.slice(text.lastIndexOf(')') + 2).split(' ') }
  } catch {
    return undefined
  }
}

function argumentsOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** Still there, and not a new process that was given the same number. */
function isSameProcess({ pid, fields }) {
  const now = statOf(pid)
  return now !== undefined && now.fields[19] === fields[19] && now.fields[0] !== 'Z'
}

function killAll(tree) {
  for (const entry of tree) {
    if (!isSameProcess(entry)) continue
    try {
      process.kill(entry.pid, 'SIGKILL')
    } catch {
      // It went by itself meanwhile.
    }
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

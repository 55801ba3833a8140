/** Opens an address in the person's browser. */

import { spawn } from 'node:child_process'

type Environment = Readonly<Record<string, string | undefined>>

/** Milliseconds after which a program that still runs has taken the address. */
const TAKEN = 2_000

/**
 * Resolves false where there is no browser, or it did not take the address. The address goes to the program as one argument, never
 * through a shell: it comes from a foreign server.
 */
export async function openBrowser(address: URL, environment: Environment = process.env): Promise<boolean> {
  if (address.protocol !== 'https:' && address.protocol !== 'http:') return false
  for (const [command, ...args] of commands(environment)) {
    if (command !== undefined && (await run(command, [...args, address.href], environment))) return true
  }
  return false
}

function commands(environment: Environment): readonly (readonly string[])[] {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = environment
  const chosen = BROWSER === undefined || BROWSER.trim() === '' ? [] : [BROWSER.trim().split(/\s+/)]
  switch (process.platform) {
    case 'darwin':
      return [...chosen, ['open']]
    case 'win32':
      // Neither `start`, which is part of the shell, nor `explorer`, which cuts addresses at a comma.
      return [...chosen, ['rundll32', 'url.dll,FileProtocolHandler']]
    default: {
      if (WSL_DISTRO_NAME !== undefined) return [...chosen, ['wslview'], ['xdg-open']]
      // Without a screen, xdg-open starts a browser inside the terminal.
      return DISPLAY || WAYLAND_DISPLAY ? [...chosen, ['xdg-open']] : chosen
    }
  }
}

function run(command: string, args: readonly string[], env: Environment): Promise<boolean> {
  return new Promise(resolve => {
    const child = spawn(command, args, { env, stdio: 'ignore', detached: true, windowsHide: true })
    const timer = setTimeout(() => resolve(true), TAKEN)
    const done = (opened: boolean) => {
      clearTimeout(timer)
      resolve(opened)
    }
    child.once('error', () => done(false))
    child.once('exit', code => done(code === 0))
    child.unref()
  })
}

/** Signs in with a browser on this machine, or on another one by copying addresses. */

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { AnswerReceiver, AuthorizationAnswer, Person } from '../../client/oauth/person.js'
import type { CallbackServer } from './callback-server.js'

export interface PersonOptions {
  /** Exactly this port, or none. Default: the one of the last sign-in, or any free one. */
  readonly callbackPort?: number | undefined
  /** The host in the redirect address. Default 127.0.0.1. */
  readonly callbackHost?: '127.0.0.1' | 'localhost' | undefined
  /** Default `/callback`. */
  readonly callbackPath?: string | undefined
  /** False leaves it to the person to open the address. Default true. */
  readonly browser?: boolean | undefined
  /** What says which browser there is, and where its screen. Default our own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Where a person may paste the address that the browser ended up at: the readable stream of a terminal, as Node has it. */
  readonly terminal?: AsyncIterable<string | Uint8Array> | undefined
  /** Tells the person what to do. */
  readonly onPrompt: (prompt: SignInPrompt) => void
}

export interface SignInPrompt {
  readonly url: string
  /** A browser shows it already. */
  readonly opened: boolean
  /** The address that the browser ends up at may be pasted. */
  readonly paste: boolean
  /** What was pasted is not the answer. */
  readonly wrong?: boolean
}

/** Throws `TypeError` for options that cannot work. */
export function personAtBrowser(options: PersonOptions): Person {
  const { callbackPort, callbackHost = '127.0.0.1', callbackPath = '/callback' } = options
  if (!/^\/[A-Za-z0-9/_.~-]*$/.test(callbackPath)) {
    throw new TypeError(
      `${JSON.stringify(callbackPath)} is no path for the redirect address; write for example /callback`,
    )
  }
  const fixed = { host: callbackHost, path: callbackPath }
  return {
    async receive(preferred) {
      const { listenForCallback } = await import('./callback-server.js')
      if (callbackPort !== undefined)
        return receiver(await listenForCallback({ ...fixed, port: callbackPort }), options)
      const last = portOf(preferred, `http://${callbackHost}:`, callbackPath)
      // The port of a registration may be taken by now: then another registration is made.
      const again =
        last === undefined
          ? undefined
          : await listenForCallback({ ...fixed, port: last }).catch(() => undefined)
      return receiver(again ?? (await listenForCallback({ ...fixed, port: 0 })), options)
    },
  }
}

function portOf(redirectUri: string | undefined, start: string, path: string): number | undefined {
  if (!redirectUri?.startsWith(start) || !redirectUri.endsWith(path)) return undefined
  const port = Number(redirectUri.slice(start.length, -path.length))
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

function receiver(callback: CallbackServer, options: PersonOptions): AnswerReceiver {
  return {
    redirectUri: callback.redirectUri,
    async ask(address, state, signal) {
      const over = new AbortController()
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal })
      })
      try {
        const { browser = true, environment, terminal, onPrompt } = options
        const answers = [callback.answer(state)]
        const prompt = { url: address.href, paste: terminal !== undefined }
        if (terminal !== undefined) {
          answers.push(
            pasted(terminal, state, over.signal, () => onPrompt({ ...prompt, opened: false, wrong: true })),
          )
        }
        // Whether it opened is known only when somebody may have answered already.
        void (browser ? open(address, environment) : Promise.resolve(false)).then(opened => {
          if (!over.signal.aborted) onPrompt({ ...prompt, opened })
        })
        return await Promise.race([...answers, aborted])
      } finally {
        over.abort()
      }
    },
    close: () => callback.close(),
  }
}

async function open(address: URL, environment: PersonOptions['environment']): Promise<boolean> {
  return await (await import('./open-browser.js')).openBrowser(address, environment)
}

/** The first line that is an address with the right state. Never rejects; stays open where none comes. */
function pasted(
  terminal: AsyncIterable<string | Uint8Array>,
  state: string,
  signal: AbortSignal,
  onWrong: () => void,
): Promise<AuthorizationAnswer> {
  return new Promise(resolve => {
    const lines = createInterface({ input: terminal as Readable })
    signal.addEventListener('abort', () => lines.close(), { once: true })
    lines.on('line', line => {
      const text = line.trim()
      if (text === '') return
      const parameters = URL.canParse(text) ? new URL(text).searchParams : undefined
      if (parameters?.get('state') === state) resolve({ parameters, conclude: () => {} })
      else onWrong()
    })
  })
}

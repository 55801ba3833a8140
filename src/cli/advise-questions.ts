/** Asks a person for what the command line does not say. */

import { CLIENTS } from '../config/clients.js'
import type { ConfigInput } from '../config/inputs.js'
import { RUNS, SERVER_IS, USERS } from './advise-options.js'
import { type AdviseArguments, type AdviseOptions, commandOf, kindOf } from './advise-situation.js'
import { UsageError } from './arguments.js'

export type Ask = (input: ConfigInput) => Promise<string | undefined>

/** An answer that fits nothing is asked for again, so often in all. */
const MAX_TRIES = 3

/** The command line as it would be with the answers. Throws `UsageError` where there is none. */
export async function completed(parsed: AdviseArguments, ask: Ask): Promise<AdviseArguments> {
  const { given } = parsed
  const options: { -readonly [K in keyof AdviseOptions]: AdviseOptions[K] } = { ...parsed.options }
  let { positionals, rest } = parsed
  const now = () => ({ ...parsed, options, positionals, rest })
  const choose = async <T extends string>(description: string, choices: readonly T[], fallback: T) =>
    await oneOfChoices(ask, { id: '', description, secret: false, choices, fallback }, choices)
  const yes = async (description: string) => (await choose(description, ['yes', 'no'], 'no')) === 'yes'

  if (positionals.length === 0 && rest === undefined && !given.has('server-is'))
    options['server-is'] = await choose(
      'What is the server: a command that starts it, an address (url) where it runs, or a program of your own with an SDK?',
      SERVER_IS,
      'command',
    )
  if (kindOf(now()) === 'url') {
    if (positionals.length === 0) {
      const url = await ask({ id: '', description: 'Its address', secret: false })
      if (url === undefined) throw new UsageError('There is nothing to advise on without an address')
      positionals = [url.trim()]
    }
  } else {
    if (rest === undefined) {
      const fallback = commandOf(now()).join(' ')
      const words = await ask({ id: '', description: 'The command that starts it', secret: false, fallback })
      if (words !== undefined) rest = words.trim().split(/\s+/)
    }
    if (!given.has('runs'))
      options.runs = await choose(
        'Where does it run: where its users are, on a machine of its own, or on a platform that starts it on demand?',
        RUNS,
        'local',
      )
    if (!given.has('users')) options.users = await choose('Who uses it?', USERS, 'me')
    if (!given.has('streams'))
      options.streams = await yes('Does it report while it works, or say that its lists have changed?')
    if (!given.has('asks')) options.asks = await yes('Does it ask its client for input, samplings or roots?')
    if (!given.has('state'))
      options.state = await yes('Does it keep something for each client from one call to the next?')
    if (!given.has('replicas') && options.runs === 'remote')
      options.replicas = Number(await matching(ask, REPLICAS, /^[1-9]\d{0,3}$/))
  }
  const clients = [...CLIENTS.filter(({ universal }) => !universal).map(({ id }) => id), 'other']
  if (!given.has('client')) options.client = await choose('Which client calls it?', clients, 'other')
  const isHere = kindOf(now()) === 'url' || options.runs === 'local'
  if (!given.has('many-clients') && isHere)
    options['many-clients'] = await yes('Do several clients of one machine use it?')
  return now()
}

const REPLICAS: ConfigInput = {
  id: '',
  description: 'How many processes share the work?',
  secret: false,
  fallback: '1',
}

/** The first letters will do. */
async function oneOfChoices<T extends string>(
  ask: Ask,
  input: ConfigInput,
  choices: readonly T[],
): Promise<T> {
  return await repeated(
    ask,
    input,
    answer =>
      choices.find(choice => choice === answer) ??
      choices.find(choice => choice.startsWith(answer.toLowerCase())),
  )
}

async function matching(ask: Ask, input: ConfigInput, pattern: RegExp): Promise<string> {
  return await repeated(ask, input, answer => (pattern.test(answer) ? answer : undefined))
}

async function repeated<T>(
  ask: Ask,
  input: ConfigInput,
  read: (answer: string) => T | undefined,
): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const answer = (await ask(input))?.trim()
    const understood = answer === undefined ? undefined : read(answer)
    if (understood !== undefined) return understood
    if (answer === undefined) break
  }
  throw new UsageError(`No answer to: ${input.description}`)
}

/** The command `anyport keys`. */

import { type ApiKeyRecord, newApiKey } from '../middleware/http/api-keys.js'
import { apiKeyFilePath, changeRecords, readRecords } from '../node/storage/api-key-file.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import { KEYS_OPTIONS } from './keys-options.js'

type Options = OptionValues<typeof KEYS_OPTIONS>

export async function keysCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals, rest, given } = parseArguments(KEYS_OPTIONS, argv)
  const [verb, name, ...more] = positionals
  if (rest !== undefined || more.length > 0)
    throw new UsageError('anyport keys takes a verb, a name and options')
  for (const option of ['scope', 'expires'])
    if (verb !== 'create' && given.has(option)) throw new UsageError(`--${option} is for anyport keys create`)
  const file = options.file ?? apiKeyFilePath()
  try {
    if (verb === 'list' && name === undefined) return list(file, options)
    if (name !== undefined && verb === 'create') return await create(name, file, options)
    if (name !== undefined && verb === 'revoke') return await revoke(name, file, options)
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
  throw new UsageError('Write: anyport keys create NAME, anyport keys list, or anyport keys revoke NAME|ID')
}

/** The key goes to stdout alone, so that it can be passed on. */
async function create(name: string, file: string, { scope, expires, json }: Options): Promise<number> {
  const { key, record } = await newApiKey(name, {
    scopes: scope,
    ...(expires === undefined ? {} : { expires: new Date(Date.now() + expires) }),
  })
  await changeRecords(file, records => [...records, record])
  if (json) process.stdout.write(`${JSON.stringify({ key, ...shown(record) }, undefined, 2)}\n`)
  else {
    process.stderr.write(`A key for ${name}, kept as a hash in ${file}. It is shown only now:\n`)
    process.stdout.write(`${key}\n`)
  }
  return 0
}

function list(file: string, { json }: Options): number {
  const records = (readRecords(file) ?? []).map(shown)
  if (json) {
    process.stdout.write(`${JSON.stringify(records, undefined, 2)}\n`)
    return 0
  }
  if (records.length === 0) {
    process.stdout.write(`There are no keys in ${file}.\n`)
    return 0
  }
  const now = new Date().toISOString()
  const rows = [
    ['ID', 'NAME', 'CREATED', 'EXPIRES', 'SCOPES'],
    ...records.map(({ id, name, created, expires, scopes }) => [
      id,
      name,
      created.slice(0, 10),
      expires === undefined ? 'never' : expires <= now ? 'expired' : expires.slice(0, 10),
      scopes?.join(' ') ?? '',
    ]),
  ]
  const widths = [0, 1, 2, 3].map(column => Math.max(...rows.map(row => (row[column] as string).length)))
  for (const row of rows)
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  return 0
}

async function revoke(name: string, file: string, { json }: Options): Promise<number> {
  let gone: readonly ApiKeyRecord[] = []
  await changeRecords(file, records => {
    gone = records.filter(record => record.id === name || record.name === name)
    return records.filter(record => !gone.includes(record))
  })
  if (json) process.stdout.write(`${JSON.stringify(gone.map(shown), undefined, 2)}\n`)
  else if (gone.length > 0)
    process.stdout.write(gone.map(record => `Revoked ${record.id} of ${record.name}\n`).join(''))
  if (gone.length === 0) process.stderr.write(`anyport: there is no key of that name or id in ${file}\n`)
  return gone.length === 0 ? 1 : 0
}

function shown({ hash: _hash, ...record }: ApiKeyRecord): Omit<ApiKeyRecord, 'hash'> {
  return record
}

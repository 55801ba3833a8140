/** Where the parts of a result go: stdout, or files. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from '../exchange/printable.js'
import { UsageError } from './arguments.js'
import { type ResultPart, sizeText } from './call-result.js'

/** Files of one name; beyond them something is wrong. */
const MAX_OF_A_NAME = 10_000

/** Each part on lines of its own. Data is saved in `folder`, where there is one, never over what is there already. */
export function textOfParts(
  parts: readonly ResultPart[],
  { folder, isTerminal }: { readonly folder: string | undefined; readonly isTerminal: boolean },
): string {
  if (folder !== undefined && parts.some(({ kind }) => kind === 'data')) mustBeFolder(folder)
  return parts
    .map(part => {
      const text = part.kind === 'data' ? dataText(part, folder) : shown(part.text, isTerminal)
      return text === '' || text.endsWith('\n') ? text : `${text}\n`
    })
    .join('')
}

/** Resolves once it is written; a reader that has left is no error. */
export function printOut(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { stdout } = process
    const failed = (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' ? resolve() : reject(new Error(`stdout: ${error.message}`))
    stdout.once('error', failed)
    stdout.write(text, error => {
      // The event follows where it failed.
      if (error) return
      stdout.off('error', failed)
      resolve()
    })
  })
}

function dataText(
  { name, mimeType, bytes }: Extract<ResultPart, { kind: 'data' }>,
  folder: string | undefined,
): string {
  const what = `${printable(mimeType)}, ${sizeText(bytes.length)}`
  return folder === undefined
    ? `[${what}; --output FOLDER saves it]`
    : `[${what}: ${saved(folder, name, mimeType, bytes)}]`
}

function saved(folder: string, name: string, mimeType: string, bytes: Uint8Array): string {
  const ending = endingOf(mimeType)
  for (let number = 1; number <= MAX_OF_A_NAME; number++) {
    const file = join(folder, `${name}${number === 1 ? '' : `-${number}`}${ending}`)
    try {
      writeFileSync(file, bytes, { flag: 'wx' })
      return file
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw new UsageError(`--output: ${file} cannot be written (${code})`)
    }
  }
  throw new UsageError(`--output: ${folder} has too many files called ${name}`)
}

function mustBeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw new UsageError(`--output: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`)
  }
}

const ENDINGS: Readonly<Record<string, string>> = {
  'application/gzip': '.gz',
  'application/json': '.json',
  'application/pdf': '.pdf',
  'application/zip': '.zip',
  'audio/aac': '.aac',
  'audio/flac': '.flac',
  'audio/mp4': '.m4a',
  'audio/mpeg': '.mp3',
  'audio/ogg': '.ogg',
  'audio/wav': '.wav',
  'audio/wave': '.wav',
  'audio/webm': '.weba',
  'audio/x-wav': '.wav',
  'image/avif': '.avif',
  'image/gif': '.gif',
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/svg+xml': '.svg',
  'image/tiff': '.tiff',
  'image/webp': '.webp',
  'text/csv': '.csv',
  'text/html': '.html',
  'text/markdown': '.md',
  'text/plain': '.txt',
  'video/mp4': '.mp4',
  'video/webm': '.webm',
}

function endingOf(mimeType: string): string {
  return ENDINGS[mimeType.split(';')[0]?.trim().toLowerCase() ?? ''] ?? '.bin'
}

/** Through a pipe it goes as it is; on a terminal it must not do what only the person may. */
function shown(text: string, isTerminal: boolean): string {
  return isTerminal ? text.split('\n').map(lineOf).join('\n') : text
}

function lineOf(line: string): string {
  return line.replace(/\r$/, '').split('\t').map(printable).join('\t')
}

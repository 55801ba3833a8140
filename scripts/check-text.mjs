/**
 * No tracked file may name a place that exists on one machine only: a home folder, this checkout, or the
 * registry that the lock file happened to be made with.
 */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const HERE = process.cwd()
const MACHINE_PATH =
  /(?<![\w.~@$})-])\/(?:(?:home|Users)\/(?!you\b|user\b|me\b|NAME\b|linuxbrew\b)[\w.-]+|root|work)\/[\w.-]+/
const WINDOWS_HOME = /[A-Z]:\\{1,2}Users\\{1,2}(?!you\b|user\b|me\b|NAME\b)\w+/
const RESOLVED = /"resolved":\s*"(?:https?|file):/

const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0').filter(Boolean)
const found = tracked.flatMap(file => {
  const bytes = readIfThere(file)
  if (bytes === undefined || bytes.includes(0)) return []
  return bytes
    .toString('utf8')
    .split('\n')
    .flatMap((line, index) => complaintsAbout(file, line).map(text => `${file}:${index + 1}: ${text}`))
})

for (const line of found) console.error(line)
console.log(`${tracked.length} tracked files, ${found.length} with text of one machine`)
process.exitCode = found.length === 0 ? 0 : 1

function complaintsAbout(file, line) {
  if (/(^|\/)package-lock\.json$/.test(file))
    return RESOLVED.test(line) ? [`names where a package came from: ${line.trim()}`] : []
  const path =
    (line.includes(`${HERE}/`) ? HERE : undefined) ??
    MACHINE_PATH.exec(line)?.[0] ??
    WINDOWS_HOME.exec(line)?.[0]
  return path === undefined ? [] : [`holds the path ${path}`]
}

/** A file may be tracked and deleted, or a link. */
function readIfThere(file) {
  try {
    return readFileSync(file)
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return undefined
    throw error
  }
}

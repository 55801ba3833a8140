/**
 * Prints one line, `N passed, N failed`, over the result files given: vitest's JSON report and that of the
 * conformance runner. A file that does not exist counts nothing.
 */

import { existsSync, readFileSync } from 'node:fs'

let passed = 0
let failed = 0
for (const file of process.argv.slice(2).filter(existsSync)) {
  const report = JSON.parse(readFileSync(file, 'utf8'))
  passed += report.numPassedTests ?? report.passed ?? 0
  failed += report.numFailedTests ?? report.failed ?? 0
}
console.log(`${passed} passed, ${failed} failed`)

import { join } from 'node:path'

/** The log of the background, readable by its owner only. */
export function logFile(folder: string): string {
  return join(folder, 'background.log')
}

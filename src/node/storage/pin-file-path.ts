import { dirname, join } from 'node:path'

/** `anyport.lock.json`, beside the configuration, or here where there is none. */
export function pinFilePath(config: string | undefined): string {
  return join(config === undefined ? process.cwd() : dirname(config), 'anyport.lock.json')
}

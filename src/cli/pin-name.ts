import { serverName } from './announce.js'

/** What a server that is served alone is called among those that are pinned: `node dist/index.js` says too little. */
export function pinName(serving: string): string {
  return serverName(
    serving.replace(
      /(?:[\\/](?:dist|build|lib|bin|src|out|esm|cjs|index|main|server|cli|app|start)(?:\.[a-z]{2,3})?)+(?=\s|$)/g,
      '',
    ),
  )
}

/** `bun bun.mjs MODULE`: serves the module's `export default { fetch }`. Says where it listens. */
import { pathToFileURL } from 'node:url'

const { default: app } = await import(pathToFileURL(process.argv[2]).href)
const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: app.fetch })
console.error(`listening on http://127.0.0.1:${server.port}`)

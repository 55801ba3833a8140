/** One server behind a gateway, without a prefix: `node gateway.mjs COMMAND [ARGS...]`. Says where it listens. */
import { connect, gateway, serve } from '../dist/index.js'

const [command, ...args] = process.argv.slice(2)
const only = connect({ command, args })
const server = await serve(gateway({ servers: { only } }, { style: 'none' }), { port: 0 })
console.error(`listening on ${server.url}`)
process.once('SIGTERM', () => server.close({ drainTimeout: 0 }).then(() => process.exit()))

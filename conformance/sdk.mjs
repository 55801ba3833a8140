/** A fixture served by this process itself: `node sdk.mjs legacy|modern`. Says where it listens. */
import { serve } from '../dist/sdk.js'
import { inProcess } from './fixtures/in-process.mjs'

const server = await serve(inProcess[process.argv[2]], { transport: 'http', port: 0 })
console.error(`listening on ${server.url}`)
process.once('SIGTERM', () => server.close({ drainTimeout: 0 }).then(() => process.exit()))

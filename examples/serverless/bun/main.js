/** Bun: bun bun/main.js. HOST=0.0.0.0 lets other machines reach it, in a container say. */

import { fetchHandler, fromSdk } from 'anyport/fetch'
import { timeServer } from '../server.js'

const { PORT = '3000', HOST = '127.0.0.1' } = process.env

export default { port: Number(PORT), hostname: HOST, fetch: fetchHandler(fromSdk(timeServer)) }

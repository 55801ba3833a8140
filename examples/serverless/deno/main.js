/** Deno and Deno Deploy: deno serve deno/main.js */

import { fetchHandler, fromSdk } from 'anyport/fetch'
import { timeServer } from '../server.js'

export default { fetch: fetchHandler(fromSdk(timeServer)) }

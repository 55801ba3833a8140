/** Cloudflare Workers: npx wrangler deploy --config workers/wrangler.jsonc */

import { fetchHandler, fromSdk } from 'anyport/fetch'
import { timeServer } from '../server.js'

export default { fetch: fetchHandler(fromSdk(timeServer)) }

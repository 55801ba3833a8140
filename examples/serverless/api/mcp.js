/** Vercel: npx vercel deploy. The endpoint is /api/mcp, since functions live below /api. */

import { fetchHandler, fromSdk } from 'anyport/fetch'
import { timeServer } from '../server.js'

export default { fetch: fetchHandler(fromSdk(timeServer), { path: '/api/mcp' }) }

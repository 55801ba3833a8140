#!/usr/bin/env node
/** On your machine: on stdio where a client starts it, else on http://127.0.0.1:3000/mcp and /sse. */

import { serve } from 'anyport/sdk'
import { timeServer } from './server.js'

const { url } = await serve(timeServer)
if (url !== undefined) console.error(`Listening on ${url}`)

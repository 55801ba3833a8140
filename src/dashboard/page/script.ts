/**
 * The page's script, made of the sources of its functions as they were compiled: so it is checked and formatted like all else, and needs neither a
 * bundler nor files beside the package. None of them uses anything from outside of itself but what a browser has.
 */

import { app } from './app.js'
import { details } from './details.js'
import { elements } from './elements.js'
import { live } from './live.js'
import { mcpClient } from './mcp-client.js'
import { messages } from './messages.js'
import { overview } from './overview.js'
import { resultView } from './result-view.js'
import { schemaForm } from './schema-form.js'
import { tryTool } from './try-tool.js'

const PARTS = { elements, live, overview, details, messages, mcpClient, schemaForm, resultView, tryTool }

export function script(): string {
  const parts = Object.entries(PARTS).map(([name, part]) => `${name}: ${part.toString()}`)
  return `'use strict'\n;(${app.toString()})({\n${parts.join(',\n')}\n})\n`
}

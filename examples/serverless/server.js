/** The server, which knows nothing of platforms: what is o'clock where, and when everybody is at work. */

import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  McpServer,
} from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import * as z from 'zod'
import { commonHours, instantsAt, isZone, wallClock } from './time-zones.js'

const zone = z
  .string()
  .refine(isZone, 'is no time zone; names are such as Europe/Berlin')
  .describe('Such as Europe/Berlin')
const zones = z.array(zone).min(1).max(50)
const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/)
const shown = z.object({ zone: z.string(), time: z.string(), weekday: z.string(), offset: z.string() })
const READ_ONLY = { annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false } }

/** For `fromSdk`: SDK v2 serves both eras this way, and nothing is kept between a question and its answer. */
export const timeServer = transport => serveStdio(makeServer, { transport })

function makeServer() {
  const server = new McpServer({ name: 'time-zones', version: '0.1.0' })

  server.registerTool(
    'current_time',
    {
      ...READ_ONLY,
      description: 'What is the time now in these time zones?',
      inputSchema: z.object({ zones }),
      outputSchema: z.object({ times: z.array(shown) }),
    },
    given => answer({ times: given.zones.map(name => wallClock(Date.now(), name)) }),
  )

  server.registerTool(
    'convert_time',
    {
      ...READ_ONLY,
      description: 'What do clocks elsewhere show when the clock in one place shows this time?',
      inputSchema: z.object({
        time: z
          .string()
          .regex(/^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d$/)
          .describe('Such as 2026-10-25T02:30'),
        from: zone,
        to: zones,
      }),
      outputSchema: z.object({ times: z.array(z.object({ from: shown, to: z.array(shown) })) }),
    },
    (given, { mcpReq }) => convert(given, mcpReq),
  )

  server.registerTool(
    'common_hours',
    {
      ...READ_ONLY,
      description: 'When is everybody at work on that day? Weekends are free.',
      inputSchema: z.object({
        date: z.string().regex(/^\d{4}-\d\d-\d\d$/),
        zones,
        begin: clock.default('09:00'),
        end: clock.default('17:00'),
        minutes: z.number().int().min(15).max(480).default(30).describe('What is shorter is left out'),
      }),
      outputSchema: z.object({
        spans: z.array(z.object({ from: z.array(shown), to: z.array(shown) })),
      }),
    },
    given => {
      const everywhere = instant => given.zones.map(name => wallClock(instant, name))
      const spans = commonHours(given).map(({ from, to }) => ({ from: everywhere(from), to: everywhere(to) }))
      return answer({ spans })
    },
  )
  return server
}

/** The hour that autumn repeats is somebody's to tell: who can be asked is asked, anybody else gets both. */
function convert({ time, from, to }, mcpReq) {
  const instants = instantsAt(time, from)
  const first = instants.map(instant => wallClock(instant, from).offset)
  const canBeAsked = mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY]?.elicitation !== undefined
  if (instants.length === 0) {
    const text = `No clock in ${from} shows ${time}: that hour is skipped when summer time begins`
    return { content: [{ type: 'text', text }], isError: true }
  }
  if (instants.length > 1 && canBeAsked) {
    const told = acceptedContent(mcpReq.inputResponses, 'which')
    if (told === undefined)
      return inputRequired({ inputRequests: { which: inputRequired.elicit(question(time, from, first)) } })
    instants.splice(0, instants.length, instants[Math.max(0, first.indexOf(told.offset))])
  }
  return answer({
    times: instants.map(instant => ({
      from: wallClock(instant, from),
      to: to.map(name => wallClock(instant, name)),
    })),
  })
}

function question(time, zoneName, offsets) {
  return {
    message: `Clocks in ${zoneName} show ${time.slice(11)} twice on that day. Which one is meant?`,
    requestedSchema: {
      type: 'object',
      properties: {
        offset: { type: 'string', title: 'Which', enum: offsets, enumNames: ['the first', 'the second'] },
      },
      required: ['offset'],
    },
  }
}

function answer(structuredContent) {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent }
}

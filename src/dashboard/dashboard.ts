/** A page that shows what is served, and lets people try it. */

import type { Dashboard, DashboardSource } from '../client/serving-status.js'
import type { HttpReply, HttpRequest } from '../exchange/http.js'
import { errorReply, methodNotAllowed, STREAM_HEADERS } from '../exchange/http-reply.js'
import { drainingReply } from '../exchange/in-flight.js'
import { type Observer, type ObserverOptions, observer } from '../middleware/exchange/observer.js'
import { UPSTREAM_BUSY } from '../protocol/errors.js'
import { KEEP_ALIVE_COMMENT } from '../protocol/event-stream.js'
import type { HttpBeside } from '../transport/http-beside.js'
import { ViewerStream } from './event-stream.js'
import { dashboardStatus } from './status.js'
import { viewerAccess } from './viewer-access.js'

export interface DashboardOptions extends ObserverOptions {
  /**
   * Who may look, where somebody has to authenticate: principals, with `*` and `?`, and scopes, as `scope:NAME`. Without authentication the
   * dashboard is for this machine only, unless there is a `*` here.
   */
  readonly allow?: readonly string[] | undefined
  /** Pages that may be open at once. Default 20. */
  readonly maxViewers?: number | undefined
}

/** Milliseconds for which a picture of the whole is good enough for the next viewer. */
const FRESH = 500
/** Milliseconds after which a page has to show its credential again. */
const LIFETIME = 5 * 60_000

const ROOT = '/dashboard'

/** For `dashboard` of `serve`. Nothing is kept, and no page loaded, before it is served. Throws `TypeError` for options that cannot work. */
export function dashboard(options: DashboardOptions = {}): Dashboard {
  const { allow = [], maxViewers = 20 } = options
  if (!(Number.isInteger(maxViewers) && maxViewers >= 1))
    throw new TypeError(`maxViewers: expected a whole number above 0, got ${maxViewers}`)
  const watching = observer(options)
  const isRefused = viewerAccess(allow)
  const viewers = new Set<ViewerStream>()
  let state: 'made' | 'open' | 'closed' = 'made'
  return {
    guard: watching.guard,
    refused: (request, reply, duration) => watching.refused(request, reply, duration),
    refusedConnection: refused => watching.refusedConnection(refused),
    sessionEnded: session => watching.sessionEnded(session),
    check({ authenticated }) {
      if (authenticated && allow.length === 0)
        throw new TypeError(
          'The dashboard shows what everybody does, so that it has to be said for whom it is: ' +
            '--dashboard-allow PRINCIPAL or scope:NAME (allow of dashboard() in the library)',
        )
    },
    open(source) {
      if (state !== 'made') throw new TypeError('A dashboard is for one server only: make another one')
      state = 'open'
      watching.secretsOf = source.secretsOf
      return pages(watching, source, { isRefused, viewers, maxViewers, isClosed: () => state === 'closed' })
    },
    close() {
      state = 'closed'
      for (const viewer of viewers) viewer.end()
    },
  }
}

interface Viewing {
  readonly isRefused: ReturnType<typeof viewerAccess>
  readonly viewers: Set<ViewerStream>
  readonly maxViewers: number
  readonly isClosed: () => boolean
}

function pages(watching: Observer, source: DashboardSource, viewing: Viewing): HttpBeside {
  const { isRefused, viewers, maxViewers, isClosed } = viewing
  const current = () => JSON.stringify(dashboardStatus(watching, source))
  const status = freshFor(FRESH, current)

  const events = (request: HttpRequest): HttpReply => {
    if (isClosed()) return drainingReply()
    if (viewers.size >= maxViewers) {
      const message = `${maxViewers} dashboards are open already: close one of them`
      return errorReply(503, { code: UPSTREAM_BUSY, message }, undefined, { 'retry-after': '10' })
    }
    const viewer = new ViewerStream({ observer: watching, status, lifetime: LIFETIME }, () =>
      viewers.delete(viewer),
    )
    viewers.add(viewer)
    request.onHangup(() => viewer.end())
    return { status: 200, headers: STREAM_HEADERS, body: viewer, keepAlive: KEEP_ALIVE_COMMENT }
  }
  const answer = (request: HttpRequest): HttpReply => {
    if (request.method !== 'GET') return methodNotAllowed('GET')
    const refused = isRefused(request, source)
    if (refused !== undefined) return refused
    if (request.path === `${ROOT}/events`) return events(request)
    return { status: 200, headers: DATA_HEADERS, body: current() }
  }
  return {
    open: request => (isOurs(request.path) && !isData(request.path) ? page(request) : undefined),
    inside: request => (isData(request.path) ? Promise.resolve(answer(request)) : undefined),
  }
}

const DATA_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

function isOurs(path: string): boolean {
  return path === ROOT || path.startsWith(`${ROOT}/`)
}

function isData(path: string): boolean {
  return path === `${ROOT}/status` || path === `${ROOT}/events`
}

/** It holds nothing that is not in the package, so that it may be shown to whoever has no key yet. */
async function page(request: HttpRequest): Promise<HttpReply> {
  const { pageAt } = await import('./page/page.js')
  return pageAt(request.method, request.path.slice(ROOT.length))
}

/** Several viewers share one. */
function freshFor(milliseconds: number, make: () => string): () => string {
  let made = ''
  let until = 0
  return () => {
    const now = performance.now()
    if (now < until) return made
    made = make()
    until = now + milliseconds
    return made
  }
}

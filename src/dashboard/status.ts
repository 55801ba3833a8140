import type { DashboardSource, ServedServer, ServingStatus } from '../client/serving-status.js'
import type { HttpRefusals, Observer, OpenCall } from '../middleware/exchange/observer.js'
import type { ClientReport } from '../middleware/exchange/seen-clients.js'
import type { TrafficReport } from '../middleware/exchange/traffic.js'

/** What `/dashboard/status` answers: all that the page shows, but for the messages. JSON as it is, without secrets. */
export interface DashboardStatus {
  readonly serving: Omit<ServingStatus, 'servers'>
  /** In the order of their names. */
  readonly servers: readonly ObservedServer[]
  /** All calls: also those that are for no server in particular, or were refused before one was found. */
  readonly traffic: TrafficReport
  /** Calls that have not ended, but for subscriptions, and the oldest 50 of them. */
  readonly openCount: number
  readonly open: readonly OpenCall[]
  readonly subscriptions: number
  /** The last 100 that called. */
  readonly clients: readonly ClientReport[]
  /** Requests that were refused before there was a call. */
  readonly httpRefusals: HttpRefusals
  /** The number of the last message. */
  readonly lastMessage: number
}

export interface ObservedServer extends ServedServer {
  /** Calls of clients that it has not answered, subscriptions not included. */
  readonly inFlight: number
  readonly traffic: TrafficReport
}

export function dashboardStatus(observer: Observer, source: DashboardSource): DashboardStatus {
  const { servers, ...serving } = source.status()
  const inFlight = observer.openByServer()
  return {
    serving,
    servers: servers.map(server => ({
      ...server,
      inFlight: serving.gateway ? (inFlight.get(server.name) ?? 0) : observer.openCount,
      traffic: observer.traffic(serving.gateway ? server.name : undefined),
    })),
    traffic: observer.traffic(),
    openCount: observer.openCount,
    open: observer.open(),
    subscriptions: observer.subscriptions,
    clients: observer.clients(),
    httpRefusals: observer.httpRefusals,
    lastMessage: observer.last,
  }
}

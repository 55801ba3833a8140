import type { OpenCall } from '../../middleware/exchange/observer.js'
import type { ClientReport } from '../../middleware/exchange/seen-clients.js'
import type { DashboardStatus, ObservedServer } from '../status.js'
import type { Elements } from './elements.js'

export interface OverviewLinks {
  readonly showDetails: (server: string) => void
}

/** Runs in the page, as its source: the whole at a glance. */
export function overview(dom: Elements, links: OverviewLinks) {
  const { make, byId, setText, button, duration, count, ago, sparkline, table, textCell, pillCell } = dom

  function card(label: string) {
    const value = make('b', { text: '–' })
    const more = make('span', { class: 'quiet small', text: '\u00a0' })
    const element = make(
      'div',
      { class: 'card' },
      make('span', { class: 'quiet small', text: label }),
      value,
      more,
    )
    byId('cards').append(element)
    return {
      element,
      show(text: string, small: string) {
        setText(value, text)
        setText(more, small === '' ? '\u00a0' : small)
      },
    }
  }

  const cards = {
    servers: card('Servers'),
    calls: card('Calls'),
    latency: card('Median latency'),
    slow: card('95 % are below'),
    errors: card('Errors'),
    open: card('Under way'),
  }
  const line = sparkline('Calls per second in the last minute')
  cards.calls.element.append(line.element)

  const servers = table<ObservedServer>('Servers', 'There are no servers.', [
    {
      title: 'Server',
      class: 'name wide',
      cell: cell => {
        let name = ''
        const open = button('', () => links.showDetails(name), 'link')
        cell.append(open)
        return server => {
          name = server.name
          setText(open, name)
        }
      },
    },
    { title: 'State', cell: pillCell(server => stateOf(server)) },
    {
      title: 'Era',
      cell: textCell(
        ({ status }) => status?.era,
        ({ status }) => status?.revision,
      ),
    },
    {
      title: 'Transport',
      cell: textCell(({ status }) => (status === undefined ? 'in process' : status.transport)),
    },
    { title: 'PID', class: 'number', cell: textCell(({ status }) => listed(status?.pids ?? [])) },
    { title: 'Restarts', class: 'number', cell: textCell(({ status }) => status && String(status.restarts)) },
    { title: 'In flight', class: 'number', cell: textCell(({ inFlight }) => count(inFlight)) },
    { title: 'Calls', class: 'number', cell: textCell(({ traffic }) => count(traffic.calls)) },
    {
      title: 'Errors',
      class: 'number',
      cell: textCell(({ traffic }) => count(traffic.errors + traffic.toolErrors)),
    },
    { title: 'p50', class: 'number', cell: textCell(({ traffic }) => duration(traffic.latency?.p50)) },
    { title: 'p95', class: 'number', cell: textCell(({ traffic }) => duration(traffic.latency?.p95)) },
    { title: 'Last error', class: 'error wide', cell: textCell(lastErrorOf, lastErrorOf) },
  ])
  byId('servers').append(servers.element)

  const open = table<OpenCall>('Calls under way', 'Nothing is under way.', [
    { title: 'Call', class: 'wide break', cell: textCell(call => called(call.method, call.target)) },
    { title: 'Server', class: 'break', cell: textCell(call => call.server) },
    { title: 'Client', class: 'break', cell: textCell(call => call.client) },
    { title: 'Principal', class: 'break', cell: textCell(call => call.principal) },
    { title: 'For', class: 'number', cell: textCell(call => duration(call.age)) },
    {
      title: 'Progress',
      class: 'number',
      cell: textCell(call => (call.notifications === 0 ? '' : String(call.notifications))),
    },
  ])
  byId('open-calls').append(open.element)

  const clients = table<ClientReport>('Clients', 'Nobody has called yet.', [
    { title: 'Client', class: 'wide break', cell: textCell(client => client.client ?? 'unnamed') },
    { title: 'Transport', cell: textCell(client => client.binding) },
    { title: 'Era', cell: textCell(client => client.era) },
    { title: 'Principal', class: 'break', cell: textCell(client => client.principal) },
    { title: 'Address', class: 'break', cell: textCell(client => client.address) },
    { title: 'Sessions', class: 'number', cell: textCell(client => String(client.sessions)) },
    { title: 'Calls', class: 'number', cell: textCell(client => count(client.calls)) },
    { title: 'Errors', class: 'number', cell: textCell(client => count(client.errors)) },
    { title: 'Last call', class: 'number', cell: textCell(client => ago(client.lastCall)) },
  ])
  byId('clients').append(clients.element)

  function stateOf({ status, unavailable }: ObservedServer): readonly [string, string] {
    if (status === undefined) return unavailable === undefined ? ['running', 'good'] : ['unavailable', 'bad']
    const styles = {
      running: 'good',
      resting: '',
      starting: 'busy',
      failed: 'bad',
      'given-up': 'bad',
    } as const
    const words = {
      running: 'running',
      resting: 'resting',
      starting: 'starting',
      failed: 'failed',
      'given-up': 'given up',
    } as const
    if (status.state === 'running' && unavailable !== undefined) return ['unavailable', 'warn']
    return [words[status.state], styles[status.state]]
  }

  /** What went wrong last: with the server, or with a call. */
  function lastErrorOf({ status, traffic, unavailable }: ObservedServer): string {
    const ofServer = status?.lastError
    const ofCall = traffic.lastError
    if (ofServer !== undefined && (ofCall === undefined || ofServer.time >= ofCall.time))
      return `${ofServer.message} (${ago(ofServer.time)})`
    if (ofCall !== undefined) {
      const code = ofCall.code === undefined ? '' : `${ofCall.code} `
      return `${called(ofCall.method ?? '', ofCall.target)}: ${code}${ofCall.message} (${ago(ofCall.time)})`
    }
    return unavailable ?? ''
  }

  function called(method: string, target: string | undefined): string {
    return target === undefined ? method : `${method} ${target}`
  }

  function listed(pids: readonly number[]): string {
    return pids.length > 3 ? `${pids.slice(0, 3).join(', ')} +${pids.length - 3}` : pids.join(', ')
  }

  return {
    stateOf,
    lastErrorOf,
    called,
    show(status: DashboardStatus) {
      const { serving, traffic } = status
      setText(byId('version'), serving.version)
      const name = serving.gateway ? `${status.servers.length} servers` : serving.name
      setText(byId('serving'), `${name}, pid ${serving.pid}, started ${ago(serving.startedAt)}`)
      byId('serving').title = name
      const running = status.servers.filter(server => stateOf(server)[1] === 'good').length
      cards.servers.show(`${running} of ${status.servers.length}`, 'running')
      cards.calls.show(count(traffic.calls), '')
      line.show(traffic.perSecond)
      const { latency } = traffic
      const of = latency?.of === 'recent' ? 'of late' : 'since the start'
      cards.latency.show(duration(latency?.p50), latency === undefined ? '' : of)
      cards.slow.show(
        duration(latency?.p95),
        latency === undefined ? '' : `longest ${duration(latency.highest)}`,
      )
      cards.errors.show(count(traffic.errors + traffic.toolErrors), `${count(traffic.toolErrors)} of tools`)
      cards.open.show(count(status.openCount), `${count(status.subscriptions)} subscriptions`)
      servers.update(status.servers.map(server => [server.name, server]))
      setText(
        byId('open-count'),
        status.openCount > status.open.length
          ? `the oldest ${status.open.length} of ${status.openCount}`
          : '',
      )
      open.update(status.open.map((call, index) => [String(index), call]))
      clients.update(
        status.clients.map(client => [
          JSON.stringify([client.binding, client.era, client.client, client.principal, client.address]),
          client,
        ]),
      )
      const { count: refused, reasons } = status.httpRefusals
      const byGuards = traffic.refused
      setText(byId('refused-count'), count(refused + byGuards))
      const parts = Object.entries(reasons).map(([reason, times]) => `${reason} ${count(times)}`)
      if (byGuards > 0) parts.push(`by limits and rules ${count(byGuards)}`)
      setText(byId('refusals'), parts.length === 0 ? 'Nobody was.' : parts.join(', '))
    },
  }
}

export type Overview = ReturnType<typeof overview>

import type { DashboardStatus } from '../status.js'
import type { Elements } from './elements.js'
import type { Overview } from './overview.js'

export interface DetailLinks {
  readonly showMessages: (server: string) => void
  readonly tryTools: (server: string) => void
}

/** Runs in the page, as its source: all that is known of one server. */
export function details(dom: Elements, overview: Overview, links: DetailLinks) {
  const { make, byId, setText, setClass, button, duration, count, ago, sparkline } = dom
  const dialog = byId<HTMLDialogElement>('details')
  let shown: string | undefined

  const state = make('span', { class: 'pill' })
  const line = sparkline('Calls per second in the last minute')
  const facts = make('dl', { class: 'facts' })
  const values = new Map<string, HTMLElement>()
  const failure = make('p', { class: 'wrong' })
  const stderr = make('pre', { tabindex: '0', 'aria-label': 'The last lines of stderr' })
  const follow = (then: (server: string) => void) => () => {
    const server = shown
    dialog.close()
    if (server !== undefined) then(server)
  }
  byId('details-body').append(
    make(
      'div',
      { class: 'buttons start' },
      button('Try its tools', follow(links.tryTools), 'main'),
      button('Its messages', follow(links.showMessages)),
    ),
    make('p', {}, state),
    make(
      'div',
      { class: 'card' },
      make('span', { class: 'quiet small', text: 'Calls per second, last minute' }),
      line.element,
    ),
    make('h3', { text: 'Last error' }),
    failure,
    make('h3', { text: 'Facts' }),
    facts,
    make('h3', { text: 'Last lines of stderr' }),
    stderr,
  )
  byId('details-close').addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => {
    shown = undefined
  })
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close()
  })

  function fact(name: string, text: string | undefined): void {
    let value = values.get(name)
    if (value === undefined) {
      value = make('dd')
      values.set(name, value)
      facts.append(make('dt', { text: name }), value)
    }
    setText(value, text === undefined || text === '' ? '–' : text)
  }

  function show(status: DashboardStatus): void {
    if (shown === undefined) return
    const server = status.servers.find(({ name }) => name === shown)
    if (server === undefined) {
      setText(state, 'removed')
      setClass(state, 'pill warn')
      return
    }
    const { status: own, traffic, unavailable } = server
    const [word, style] = overview.stateOf(server)
    setText(state, word)
    setClass(state, `pill ${style}`)
    line.show(traffic.perSecond)
    setText(failure, overview.lastErrorOf(server) || 'None.')
    setClass(failure, overview.lastErrorOf(server) === '' ? 'quiet' : 'wrong break')
    const { latency } = traffic
    fact('Era', own?.revision === undefined ? own?.era : `${own.era}, ${own.revision}`)
    fact('Transport', own === undefined ? 'in process' : own.transport)
    fact('Process', own?.pids.join(', '))
    fact('Starts', own && `${own.starts}, ${own.restarts} of them again`)
    fact('Ready', own?.readyAt && `${ago(own.readyAt)}, after ${duration(own.readyAfter)}`)
    fact('Connections', own && String(own.connections))
    fact('Calls in flight', count(server.inFlight))
    fact('Waiting for answers', own && String(own.parked))
    fact('Calls', count(traffic.calls))
    fact('Errors', `${count(traffic.errors)}, and ${count(traffic.toolErrors)} of tools`)
    fact('Refused', count(traffic.refused))
    fact('Cancelled', count(traffic.cancelled))
    fact('Questions back', count(traffic.questions))
    fact('Latency p50', duration(latency?.p50))
    fact('Latency p95', duration(latency?.p95))
    fact('Latency p99', duration(latency?.p99))
    fact('Longest', duration(latency?.highest))
    fact('Lists', unavailable === undefined ? 'answered' : unavailable)
    const text = own?.stderr.join('\n') ?? ''
    setText(stderr, text === '' ? 'Nothing.' : text)
  }

  return {
    open(server: string, status: DashboardStatus) {
      shown = server
      setText(byId('details-title'), server)
      show(status)
      dialog.showModal()
    },
    show,
  }
}

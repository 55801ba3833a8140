import type { ObservedMessage, RecentMessages } from '../../middleware/exchange/recent-messages.js'
import type { DashboardStatus } from '../status.js'
import type { Elements } from './elements.js'

/** Runs in the page, as its source: what happens, as it happens. */
export function messages(dom: Elements) {
  const { make, byId, setText, button, duration, clock, bytes, table, textCell, pillCell } = dom
  /** Kept in the page, and shown at once. */
  const MOST = 500
  const SHOWN = 200
  let kept: ObservedMessage[] = []
  let last = 0
  let missed = 0
  let run = ''
  let paused = false
  let waiting = 0

  const server = make('select', { id: 'filter-server' }, make('option', { value: '', text: 'All' }))
  const outcome = make('select', { id: 'filter-outcome' }, make('option', { value: '', text: 'All' }))
  for (const [value, text] of [
    ['ok', 'ok'],
    ['wrong', 'anything wrong'],
    ['error', 'error'],
    ['tool-error', 'tool error'],
    ['refused', 'refused'],
    ['cancelled', 'cancelled'],
    ['question', 'question'],
  ] as const)
    outcome.append(make('option', { value, text }))
  const search = make('input', {
    id: 'filter-text',
    type: 'search',
    placeholder: 'tool, client, principal, error',
    autocomplete: 'off',
  })
  const pause = button('Pause', () => setPaused(!paused))
  pause.setAttribute('aria-pressed', 'false')
  const clear = button('Clear', () => {
    kept = []
    missed = 0
    waiting = 0
    render()
  })
  const note = make('p', { class: 'quiet small', role: 'status' })

  const rows = table<ObservedMessage>('Messages', 'Nothing yet that fits.', [
    { title: 'Time', class: 'number', cell: textCell(message => clock(message.time)) },
    { title: 'Outcome', cell: pillCell(message => [message.outcome.replace('-', ' '), styleOf(message)]) },
    { title: 'Call', class: 'wide break', cell: callCell },
    { title: 'Server', class: 'break', cell: textCell(message => message.server) },
    { title: 'Client', class: 'break', cell: textCell(message => message.client) },
    {
      title: 'Came by',
      cell: textCell(message => [message.binding, message.era].filter(part => part !== undefined).join(', ')),
    },
    { title: 'Principal', class: 'break', cell: textCell(message => message.principal) },
    { title: 'Took', class: 'number', cell: textCell(message => duration(message.duration)) },
  ])
  byId('messages').append(
    make(
      'div',
      { class: 'bar' },
      make('label', {}, 'Server', server),
      make('label', {}, 'Outcome', outcome),
      make('label', { class: 'grow' }, 'Text', search),
      pause,
      clear,
    ),
    note,
    rows.element,
  )
  for (const filter of [server, outcome]) filter.addEventListener('change', render)
  search.addEventListener('input', render)

  function callCell(cell: HTMLTableCellElement) {
    const what = make('div')
    const more = make('div', { class: 'small quiet break' })
    cell.append(what, more)
    return (message: ObservedMessage) => {
      const { method = message.reason ?? 'request', target, notifications, size, refusedBy, reason } = message
      setText(what, target === undefined ? method : `${method} ${target}`)
      const parts = [
        message.code === undefined ? undefined : `${message.code}`,
        message.status === undefined ? undefined : `HTTP ${message.status}`,
        refusedBy === undefined
          ? undefined
          : `refused by ${refusedBy}${reason === undefined ? '' : `, ${reason}`}`,
        message.error,
        notifications === undefined ? undefined : `${notifications} notifications`,
        size === undefined ? undefined : bytes(size),
        message.arguments === undefined ? undefined : JSON.stringify(message.arguments),
      ]
      setText(more, parts.filter(part => part !== undefined && part !== '').join(' · '))
      more.hidden = more.textContent === ''
    }
  }

  function styleOf({ outcome: word }: ObservedMessage): string {
    if (word === 'ok') return 'good'
    if (word === 'question') return 'busy'
    return word === 'error' || word === 'tool-error' ? 'bad' : 'warn'
  }

  function fits(message: ObservedMessage): boolean {
    if (server.value !== '' && message.server !== server.value) return false
    if (outcome.value === 'wrong' && (message.outcome === 'ok' || message.outcome === 'question'))
      return false
    if (outcome.value !== '' && outcome.value !== 'wrong' && message.outcome !== outcome.value) return false
    const wanted = search.value.trim().toLowerCase()
    if (wanted === '') return true
    const { method, target, client, principal, error, reason } = message
    return [method, target, client, principal, error, reason, message.server].some(text =>
      text?.toLowerCase().includes(wanted),
    )
  }

  function render(): void {
    rows.clear()
    for (const message of kept.filter(fits).slice(-SHOWN)) rows.push(message, SHOWN)
    tell()
  }

  function tell(): void {
    const parts = [
      paused && waiting > 0 ? `${waiting} more since you paused.` : '',
      missed > 0 ? `${missed} came too fast to be shown.` : '',
    ]
    setText(note, parts.filter(part => part !== '').join(' '))
  }

  function setPaused(wanted: boolean): void {
    paused = wanted
    waiting = 0
    setText(pause, paused ? 'Go on' : 'Pause')
    pause.setAttribute('aria-pressed', String(paused))
    render()
  }

  return {
    /** Another run of the server counts anew. */
    status(status: DashboardStatus) {
      const { pid, startedAt, gateway } = status.serving
      const current = `${pid} ${startedAt}`
      if (run !== current) {
        run = current
        last = 0
      }
      const names = gateway ? status.servers.map(({ name }) => name) : []
      const options = [...server.options].slice(1).map(option => option.value)
      if (JSON.stringify(names) === JSON.stringify(options)) return
      const chosen = server.value
      while (server.options.length > 1) server.remove(1)
      for (const name of names) server.append(make('option', { value: name, text: name }))
      server.value = names.includes(chosen) ? chosen : ''
      if (server.value !== chosen) render()
    },
    add(batch: Pick<RecentMessages, 'messages' | 'missed'>) {
      const first = last === 0
      const fresh = batch.messages.filter(({ sequence }) => sequence > last)
      if (!first) missed += batch.missed
      last = Math.max(last, batch.messages.at(-1)?.sequence ?? 0)
      kept = [...kept, ...fresh].slice(-MOST)
      if (paused) waiting += fresh.length
      else for (const message of fresh.filter(fits)) rows.push(message, SHOWN)
      tell()
    },
    only(name: string) {
      server.value = name
      outcome.value = ''
      search.value = ''
      render()
    },
  }
}

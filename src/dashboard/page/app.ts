import type { DashboardStatus } from '../status.js'
import type { details } from './details.js'
import type { elements } from './elements.js'
import type { live } from './live.js'
import type { mcpClient } from './mcp-client.js'
import type { messages } from './messages.js'
import type { overview } from './overview.js'
import type { resultView } from './result-view.js'
import type { schemaForm } from './schema-form.js'
import type { tryTool } from './try-tool.js'

export interface AppParts {
  readonly elements: typeof elements
  readonly live: typeof live
  readonly overview: typeof overview
  readonly details: typeof details
  readonly messages: typeof messages
  readonly mcpClient: typeof mcpClient
  readonly schemaForm: typeof schemaForm
  readonly resultView: typeof resultView
  readonly tryTool: typeof tryTool
}

/** Runs in the page, as its source: puts its parts together. */
export function app(parts: AppParts): void {
  const dom = parts.elements()
  const { byId } = dom
  const told = parts.live(dom)
  let status: DashboardStatus | undefined

  const glance = parts.overview(dom, {
    showDetails: server => {
      if (status !== undefined) more.open(server, status)
    },
  })
  const log = parts.messages(dom)
  const client = parts.mcpClient(told, () => status?.serving.version ?? '0')
  const attempt = parts.tryTool(dom, { client, form: parts.schemaForm(dom), result: parts.resultView(dom) })
  const more = parts.details(dom, glance, {
    showMessages: server => {
      log.only(status?.serving.gateway ? server : '')
      choose('messages', true)
    },
    tryTools: server => {
      attempt.of(status?.serving.gateway ? server : '')
      choose('try', true)
    },
  })

  const views = ['overview', 'messages', 'try'] as const
  type View = (typeof views)[number]
  const tabOf = (view: View) => byId<HTMLButtonElement>(`tab-${view}`)

  function choose(view: View, focus: boolean): void {
    for (const each of views) {
      const isChosen = each === view
      tabOf(each).setAttribute('aria-selected', String(isChosen))
      tabOf(each).tabIndex = isChosen ? 0 : -1
      byId(each).hidden = !isChosen
    }
    if (focus) tabOf(view).focus()
    if (view === 'try') attempt.open()
    history.replaceState(undefined, '', view === 'overview' ? location.pathname : `#${view}`)
  }

  for (const [index, view] of views.entries()) {
    tabOf(view).addEventListener('click', () => choose(view, false))
    tabOf(view).addEventListener('keydown', event => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
      if (step === 0) return
      event.preventDefault()
      choose(views[(index + step + views.length) % views.length] as View, true)
    })
  }
  const asked = views.find(view => location.hash === `#${view}`) ?? 'overview'
  choose(asked, false)

  told.start(
    current => {
      const isFirst = status === undefined
      status = current
      glance.show(current)
      log.status(current)
      attempt.status(current)
      more.show(current)
      if (isFirst && !byId('try').hidden) attempt.open()
    },
    batch => log.add(batch),
  )
}

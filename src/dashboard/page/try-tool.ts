import type { DashboardStatus } from '../status.js'
import type { Elements } from './elements.js'
import type { McpClient, Reply } from './mcp-client.js'
import type { ResultView } from './result-view.js'
import type { SchemaForm } from './schema-form.js'

type Tool = Readonly<Record<string, unknown>>

export interface TryParts {
  readonly client: McpClient
  readonly form: SchemaForm
  readonly result: ResultView
}

/** Runs in the page, as its source: tools to call by hand. */
export function tryTool(dom: Elements, { client, form, result }: TryParts) {
  const { make, byId, setText, button } = dom
  let status: DashboardStatus | undefined
  let tools: readonly Tool[] = []
  let listing: AbortController | undefined
  let calling: AbortController | undefined
  let chosen: Tool | undefined

  const server = make('select', { id: 'try-server' })
  const search = make('input', { id: 'try-search', type: 'search', autocomplete: 'off' })
  const list = make('ul', { class: 'tools', 'aria-label': 'Tools' })
  const note = make('p', { class: 'empty', role: 'status', text: 'Tools are listed here.' })
  const panel = make('div', { class: 'box panel' }, make('p', { class: 'quiet', text: 'Choose a tool.' }))
  byId('try').append(
    make(
      'div',
      { class: 'bar' },
      make('label', {}, 'Server', server),
      make('label', { class: 'grow' }, 'Find', search),
      button('List again', () => void load()),
    ),
    make('p', {
      class: 'quiet small',
      text: 'Calls are real, and yours: rules, limits and the record hold for them as for any client.',
    }),
    make('div', { class: 'split' }, make('div', { class: 'box' }, list, note), panel),
  )
  server.addEventListener('change', () => void load())
  search.addEventListener('input', renderList)

  /** Relative to this page, wherever a proxy has put it. */
  function path(): string {
    const own = status?.servers.find(({ name }) => name === server.value)?.path ?? ''
    return `${own}${status?.serving.path ?? '/mcp'}`.slice(1)
  }

  function nameOf(tool: Tool): string {
    return typeof tool.name === 'string' ? tool.name : ''
  }

  async function load(): Promise<void> {
    listing?.abort()
    listing = new AbortController()
    const { signal } = listing
    setText(note, 'Asking for the tools')
    note.hidden = false
    list.replaceChildren()
    try {
      tools = await client.tools(path(), signal)
      if (signal.aborted) return
      renderList()
    } catch (error) {
      if (signal.aborted) return
      tools = []
      setText(note, (error as Error).message)
    }
  }

  function renderList(): void {
    const wanted = search.value.trim().toLowerCase()
    const found = tools.filter(tool =>
      [tool.name, tool.title, tool.description].some(
        text => typeof text === 'string' && text.toLowerCase().includes(wanted),
      ),
    )
    list.replaceChildren(
      ...found.slice(0, 500).map(tool => {
        const description = typeof tool.description === 'string' ? tool.description.split('\n')[0] : ''
        const choose = make(
          'button',
          { type: 'button' },
          nameOf(tool),
          make('small', { text: description ?? '' }),
        )
        choose.setAttribute('aria-current', String(tool === chosen))
        choose.addEventListener('click', () => {
          for (const other of list.querySelectorAll('button')) other.setAttribute('aria-current', 'false')
          choose.setAttribute('aria-current', 'true')
          show(tool)
        })
        return make('li', {}, choose)
      }),
    )
    note.hidden = found.length > 0
    setText(note, tools.length === 0 ? 'It has no tools.' : 'No tool fits.')
  }

  function hintsOf(tool: Tool): readonly HTMLElement[] {
    const { annotations } = tool
    const hints = (typeof annotations === 'object' && annotations !== null ? annotations : {}) as Readonly<
      Record<string, unknown>
    >
    if (hints.readOnlyHint === true) return [make('span', { class: 'pill good', text: 'says it only reads' })]
    return hints.destructiveHint === false
      ? []
      : [make('span', { class: 'pill warn', text: 'may change or delete things' })]
  }

  function show(tool: Tool): void {
    calling?.abort()
    chosen = tool
    const fields = form(tool.inputSchema)
    const raw = make('textarea', { id: 'try-raw', spellcheck: 'false', 'aria-label': 'Arguments as JSON' })
    const rawBox = make('div', { class: 'field' }, raw)
    rawBox.hidden = true
    const fieldBox = make('div', {}, ...fields.elements)
    if (fields.elements.length === 0)
      fieldBox.append(make('p', { class: 'quiet', text: 'It takes no arguments.' }))
    const wrong = make('p', { class: 'wrong', role: 'alert' })
    const outcome = make('div', { 'aria-live': 'polite' })
    const submit = make('button', { type: 'submit', class: 'main', text: 'Call' })
    const cancel = button('Cancel', () => calling?.abort())
    cancel.hidden = true
    const toggle = button('As JSON', () => {
      try {
        if (rawBox.hidden) raw.value = JSON.stringify(fields.read(), undefined, 2)
      } catch {
        raw.value = '{}'
      }
      rawBox.hidden = !rawBox.hidden
      fieldBox.hidden = !rawBox.hidden
      setText(toggle, rawBox.hidden ? 'As JSON' : 'As a form')
    })
    const read = (): Record<string, unknown> =>
      rawBox.hidden ? fields.read() : JSON.parse(raw.value || '{}')
    const body = make(
      'form',
      { novalidate: '' },
      fieldBox,
      rawBox,
      wrong,
      make('div', { class: 'buttons start' }, submit, toggle, cancel),
    )
    const busy = (on: boolean) => {
      submit.disabled = on
      cancel.hidden = !on
    }
    body.addEventListener('submit', event => {
      event.preventDefault()
      setText(wrong, '')
      let args: Record<string, unknown>
      try {
        args = read()
      } catch (error) {
        setText(wrong, (error as Error).message)
        return
      }
      busy(true)
      void run(tool, args, outcome).finally(() => busy(false))
    })
    const title = typeof tool.title === 'string' && tool.title !== '' ? tool.title : undefined
    panel.replaceChildren(
      make('h2', { text: title ?? nameOf(tool) }),
      make('p', {}, make('code', { text: nameOf(tool) }), ' ', ...hintsOf(tool)),
      make('p', { class: 'hint', text: typeof tool.description === 'string' ? tool.description : '' }),
      body,
      outcome,
    )
  }

  async function run(tool: Tool, args: Record<string, unknown>, outcome: HTMLElement): Promise<void> {
    calling?.abort()
    const own = new AbortController()
    calling = own
    const endpoint = path()
    const began = performance.now()
    const bar = make('progress')
    const text = make('p', { class: 'quiet small', text: 'Calling' })
    let extra: Record<string, unknown> = {}
    try {
      for (let round = 0; round < 20; round++) {
        outcome.replaceChildren(bar, text)
        const params = { name: nameOf(tool), arguments: args, ...extra }
        const reply = await client.request(endpoint, 'tools/call', params, {
          signal: own.signal,
          schema: tool.inputSchema,
          onProgress: ({ progress, total, message }) => {
            if (typeof total === 'number' && total > 0) bar.max = total
            if (typeof progress === 'number' && typeof total === 'number') bar.value = progress
            setText(text, typeof message === 'string' ? message : `Progress ${String(progress)}`)
          },
        })
        if (reply.result?.resultType !== 'input_required') {
          outcome.replaceChildren(result(reply, performance.now() - began))
          return
        }
        const answers = await ask(tool, reply, outcome, own.signal)
        const { requestState } = reply.result
        extra = { inputResponses: answers, ...(requestState === undefined ? {} : { requestState }) }
      }
      outcome.replaceChildren(make('p', { class: 'wrong', text: 'It asks again and again: given up.' }))
    } catch (error) {
      const why = own.signal.aborted ? 'Cancelled.' : (error as Error).message
      outcome.replaceChildren(make('p', { class: own.signal.aborted ? 'quiet' : 'wrong', text: why }))
    }
  }

  /** Shows the questions of a server, one after the other (2026-07-28 client/elicitation). Rejects once the call is cancelled. */
  async function ask(
    tool: Tool,
    reply: Reply,
    outcome: HTMLElement,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const questions = Object.entries(
      (reply.result?.inputRequests ?? {}) as Record<string, Record<string, unknown>>,
    )
    const answers: Record<string, unknown> = {}
    for (const [key, question] of questions) {
      const params = (question.params ?? {}) as Record<string, unknown>
      if (question.method !== 'elicitation/create' || (params.mode ?? 'form') !== 'form')
        throw new Error(
          `The server asks for ${String(question.method)} (${String(params.mode ?? '')}), which this page cannot answer.`,
        )
      answers[key] = await answerOf(nameOf(tool), params, outcome, signal)
    }
    return answers
  }

  function answerOf(
    asking: string,
    params: Record<string, unknown>,
    outcome: HTMLElement,
    signal: AbortSignal,
  ): Promise<unknown> {
    const fields = form(params.requestedSchema)
    const wrong = make('p', { class: 'wrong', role: 'alert' })
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('Cancelled')))
      const body = make(
        'form',
        { class: 'question', novalidate: '' },
        make('h3', { text: `${asking} asks` }),
        make('p', { class: 'hint', text: typeof params.message === 'string' ? params.message : '' }),
        ...fields.elements,
        wrong,
        make(
          'div',
          { class: 'buttons start' },
          make('button', { type: 'submit', class: 'main', text: 'Answer' }),
          button('Decline', () => resolve({ action: 'decline' })),
          button('Cancel the question', () => resolve({ action: 'cancel' })),
        ),
      )
      body.addEventListener('submit', event => {
        event.preventDefault()
        try {
          resolve({ action: 'accept', content: fields.read() })
        } catch (error) {
          setText(wrong, (error as Error).message)
        }
      })
      outcome.replaceChildren(body)
      body.querySelector<HTMLElement>('input, select, textarea, button')?.focus()
    })
  }

  return {
    status(current: DashboardStatus) {
      status = current
      const { gateway } = current.serving
      const names = current.servers.map(({ name }) => name)
      const wanted = gateway ? ['', ...names] : ['']
      const have = [...server.options].map(option => option.value)
      if (JSON.stringify(wanted) === JSON.stringify(have)) return
      const before = server.value
      server.replaceChildren(
        ...wanted.map(value =>
          make('option', {
            value,
            text: value !== '' ? value : gateway ? 'All together' : (names[0] ?? 'The server'),
          }),
        ),
      )
      server.value = wanted.includes(before) ? before : ''
    },
    /** The view is opened. */
    open() {
      if (status !== undefined && tools.length === 0) void load()
    },
    of(name: string) {
      server.value = [...server.options].some(option => option.value === name) ? name : ''
      search.value = ''
      void load()
    },
  }
}

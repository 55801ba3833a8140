import type { RecentMessages } from '../../middleware/exchange/recent-messages.js'
import type { DashboardStatus } from '../status.js'
import type { Elements } from './elements.js'

/** Runs in the page, as its source: the credential, and what the server tells. */
export function live({ byId, setText, setClass }: Elements) {
  /** In this page's memory only. */
  let key: string | undefined
  let current: AbortController | undefined
  let onStatus: (status: DashboardStatus) => void = () => {}
  let onMessages: (batch: Pick<RecentMessages, 'messages' | 'missed'>) => void = () => {}

  const connection = byId('connection')
  const notice = byId('notice')
  const dialog = byId<HTMLDialogElement>('key-dialog')
  const input = byId<HTMLInputElement>('key')
  const why = byId('key-why')

  function state(text: string, style: string): void {
    setText(connection, text)
    setClass(connection, `state ${style}`)
  }

  function tell(text: string | undefined): void {
    setText(notice, text ?? '')
    notice.hidden = text === undefined
  }

  function headers(): Record<string, string> {
    return key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  function askForKey(text?: string): void {
    if (text !== undefined) setText(why, text)
    input.value = ''
    if (!dialog.open) dialog.showModal()
  }

  byId('key-button').addEventListener('click', () => askForKey())
  byId('key-cancel').addEventListener('click', () => dialog.close())
  byId('key-form').addEventListener('submit', event => {
    event.preventDefault()
    const given = input.value.trim()
    input.value = ''
    if (given === '') return
    key = given
    dialog.close()
    connect()
  })

  /** Calls back with each event of a stream. */
  async function readEvents(
    body: ReadableStream<Uint8Array>,
    onEvent: (name: string, data: string) => void,
  ): Promise<void> {
    const reader = body.getReader()
    const decoder = new TextDecoder()
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end < 0) break
        const lines = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        const fieldOf = (field: string) =>
          lines.filter(line => line.startsWith(`${field}:`)).map(line => line.slice(field.length + 1).trim())
        const data = fieldOf('data')
        if (data.length > 0) onEvent(fieldOf('event')[0] ?? 'message', data.join('\n'))
      }
    }
  }

  async function refusalOf(reply: Response): Promise<string> {
    try {
      const { error } = await reply.json()
      return String(error.message ?? error)
    } catch {
      return `The server answered ${reply.status}`
    }
  }

  /** False where it makes no sense to try again by itself. */
  async function follow(signal: AbortSignal): Promise<boolean> {
    const reply = await fetch('dashboard/events', { headers: headers(), signal, cache: 'no-store' })
    if (reply.status === 401) {
      state('Not signed in', 'warn')
      tell(undefined)
      askForKey(
        key === undefined
          ? 'This server asks for a key. It stays in this page, until you close or reload it.'
          : `The key was not accepted: ${await refusalOf(reply)}`,
      )
      return false
    }
    if (!reply.ok || reply.body === null) {
      const text = await refusalOf(reply)
      tell(text)
      state('Refused', 'bad')
      return reply.status >= 500
    }
    state('Live', 'good')
    tell(undefined)
    await readEvents(reply.body, (name, data) => {
      if (name === 'status') onStatus(JSON.parse(data))
      if (name === 'messages') onMessages(JSON.parse(data))
    })
    return true
  }

  function connect(): void {
    current?.abort()
    const ending = new AbortController()
    current = ending
    const run = async () => {
      let wait = 500
      while (!ending.signal.aborted) {
        const began = performance.now()
        try {
          if (!(await follow(ending.signal))) return
        } catch {
          if (ending.signal.aborted) return
          state('Reconnecting', 'warn')
        }
        // One that was open for a while ended in good order.
        wait = performance.now() - began > 10_000 ? 250 : Math.min(wait * 2, 10_000)
        await new Promise(resolve => setTimeout(resolve, wait))
      }
    }
    void run()
  }

  return {
    headers,
    askForKey,
    tell,
    readEvents,
    start(
      status: (status: DashboardStatus) => void,
      messages: (batch: Pick<RecentMessages, 'messages' | 'missed'>) => void,
    ) {
      onStatus = status
      onMessages = messages
      connect()
    },
  }
}

export type Live = ReturnType<typeof live>

import type { Elements } from './elements.js'
import type { Reply } from './mcp-client.js'

/** Runs in the page, as its source: what a tool gave. */
export function resultView({ make, duration }: Elements) {
  function block(content: unknown): HTMLElement {
    const part = (typeof content === 'object' && content !== null ? content : {}) as Readonly<
      Record<string, unknown>
    >
    const { type, text, data, mimeType, uri, resource } = part
    if (type === 'text' && typeof text === 'string') return make('pre', { tabindex: '0', text })
    if (type === 'image' && typeof data === 'string' && /^image\/[\w.+-]+$/.test(String(mimeType))) {
      const picture = make('img', { class: 'picture', alt: 'What the tool gave' })
      picture.src = `data:${mimeType};base64,${data}`
      return picture
    }
    if (type === 'resource_link') return make('pre', { tabindex: '0', text: `Resource ${String(uri)}` })
    if (type === 'resource' && typeof resource === 'object' && resource !== null) {
      const own = resource as Readonly<Record<string, unknown>>
      const shown =
        typeof own.text === 'string' ? own.text : `${String(own.blob ?? '').length} characters of Base64`
      return make(
        'div',
        {},
        make('div', { class: 'hint', text: String(own.uri) }),
        make('pre', { tabindex: '0', text: shown }),
      )
    }
    return make('pre', { tabindex: '0', text: JSON.stringify(content, undefined, 2) })
  }

  return (reply: Reply, milliseconds: number): HTMLElement => {
    const { result, error } = reply
    const isError = error !== undefined || result?.isError === true
    const word =
      error !== undefined
        ? `Error ${error.code ?? ''}`.trim()
        : isError
          ? 'The tool says that it failed'
          : 'Done'
    const parts: HTMLElement[] = [
      make(
        'p',
        {},
        make('span', { class: `pill ${isError ? 'bad' : 'good'}`, text: word }),
        make('span', { class: 'quiet small', text: ` in ${duration(milliseconds)}` }),
      ),
    ]
    if (error !== undefined) {
      parts.push(make('p', { class: 'wrong break', text: error.message ?? 'No message' }))
      if (error.data !== undefined)
        parts.push(make('pre', { tabindex: '0', text: JSON.stringify(error.data, undefined, 2) }))
    }
    if (Array.isArray(result?.content)) parts.push(...result.content.map(block))
    if (result?.structuredContent !== undefined)
      parts.push(
        make('h3', { text: 'Structured' }),
        make('pre', { tabindex: '0', text: JSON.stringify(result.structuredContent, undefined, 2) }),
      )
    parts.push(
      make(
        'details',
        {},
        make('summary', { class: 'quiet small', text: 'As it came' }),
        make('pre', { tabindex: '0', text: JSON.stringify(reply, undefined, 2) }),
      ),
    )
    return make('div', {}, ...parts)
  }
}

export type ResultView = ReturnType<typeof resultView>

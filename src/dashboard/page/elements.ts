type Child = Node | string | undefined

/** A class, a text, and attributes. */
export interface Shape {
  readonly class?: string
  readonly text?: string
  readonly [attribute: string]: string | undefined
}

export interface Column<T> {
  readonly title: string
  readonly class?: string
  /** Makes the cell once, and gives what brings it up to date. */
  readonly cell: (cell: HTMLTableCellElement) => (item: T) => void
}

/** Runs in the page, as its source: whatever it uses is in it, or is given to it. */
export function elements() {
  /** Texts are texts, wherever they come from. */
  function make<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    shape: Shape = {},
    ...children: readonly Child[]
  ): HTMLElementTagNameMap[K] {
    const element = document.createElement(tag)
    for (const [name, value] of Object.entries(shape)) {
      if (value === undefined) continue
      if (name === 'class') element.className = value
      else if (name === 'text') element.textContent = value
      else element.setAttribute(name, value)
    }
    for (const child of children) if (child !== undefined) element.append(child)
    return element
  }

  function byId<T extends HTMLElement = HTMLElement>(id: string): T {
    return document.getElementById(id) as T
  }

  /** Only where it differs, so that nothing moves and no selection is lost. */
  function setText(element: Element, text: string): void {
    if (element.textContent !== text) element.textContent = text
  }

  function setClass(element: Element, name: string): void {
    if (element.className !== name) element.className = name
  }

  function button(text: string, onClick: () => void, style = ''): HTMLButtonElement {
    const made = make('button', { type: 'button', class: style, text })
    made.addEventListener('click', onClick)
    return made
  }

  function duration(milliseconds: number | undefined): string {
    if (milliseconds === undefined) return '–'
    if (milliseconds < 1) return `${milliseconds.toFixed(2)} ms`
    if (milliseconds < 100) return `${milliseconds.toFixed(1)} ms`
    if (milliseconds < 10_000) return `${Math.round(milliseconds)} ms`
    const seconds = Math.round(milliseconds / 1_000)
    if (seconds < 120) return `${seconds} s`
    return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
  }

  function count(value: number): string {
    return value.toLocaleString('en')
  }

  function clock(time: number | string): string {
    return new Date(time).toLocaleTimeString('en-GB')
  }

  function ago(time: number | string): string {
    const seconds = Math.max(0, Math.round((Date.now() - new Date(time).getTime()) / 1_000))
    if (seconds < 60) return `${seconds} s ago`
    if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`
    return seconds < 172_800
      ? `${Math.round(seconds / 3_600)} h ago`
      : new Date(time).toLocaleDateString('en-GB')
  }

  function bytes(size: number): string {
    if (size < 1_024) return `${size} B`
    return size < 1_048_576 ? `${(size / 1_024).toFixed(1)} KiB` : `${(size / 1_048_576).toFixed(1)} MiB`
  }

  /** A line of the last minute. */
  function sparkline(label: string) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    svg.setAttribute('viewBox', '0 0 59 20')
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('role', 'img')
    svg.setAttribute('aria-label', label)
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
    line.setAttribute('class', 'spark')
    svg.append(line)
    return {
      element: svg,
      show(values: readonly number[]) {
        const most = Math.max(1, ...values)
        const points = values.map((value, index) => `${index},${(19 - (value / most) * 18).toFixed(1)}`)
        line.setAttribute('points', points.join(' '))
      },
    }
  }

  /** A table whose rows stay where they are while what is in them changes. */
  function table<T>(caption: string, empty: string, columns: readonly Column<T>[]) {
    const head = make('tr')
    for (const { title, class: style } of columns)
      head.append(make('th', { scope: 'col', text: title, ...(style === undefined ? {} : { class: style }) }))
    const body = make('tbody')
    const whole = make('table', { 'aria-label': caption }, make('thead', {}, head), body)
    const nothing = make('p', { class: 'empty', text: empty })
    const box = make('div', { class: 'box rows' }, whole, nothing)
    const rows = new Map<string, { readonly row: HTMLElement; readonly update: (item: T) => void }>()
    const row = (fresh: boolean) => {
      const element = make('tr', fresh ? { class: 'fresh' } : {})
      const updates = columns.map(({ title, class: style, cell }) => {
        const made = make('td', { 'data-label': title, ...(style === undefined ? {} : { class: style }) })
        element.append(made)
        return cell(made)
      })
      return {
        row: element,
        update: (item: T) => {
          for (const update of updates) update(item)
        },
      }
    }
    const show = () => {
      whole.hidden = body.childElementCount === 0
      nothing.hidden = !whole.hidden
    }
    show()
    return {
      element: box,
      /** These and no others, in this order. */
      update(items: readonly (readonly [key: string, item: T])[]) {
        const keys = new Set(items.map(([key]) => key))
        for (const [key, { row: old }] of rows)
          if (!keys.has(key)) {
            old.remove()
            rows.delete(key)
          }
        for (const [index, [key, item]] of items.entries()) {
          let known = rows.get(key)
          if (known === undefined) {
            known = row(false)
            rows.set(key, known)
          }
          if (body.children[index] !== known.row) body.insertBefore(known.row, body.children[index] ?? null)
          known.update(item)
        }
        show()
      },
      /** One more at the top, the last ones gone where there are too many. */
      push(item: T, most: number) {
        const made = row(true)
        made.update(item)
        body.prepend(made.row)
        while (body.childElementCount > most) body.lastElementChild?.remove()
        show()
      },
      clear() {
        rows.clear()
        body.replaceChildren()
        show()
      },
    }
  }

  /** A cell of plain text. */
  function textCell<T>(text: (item: T) => string | undefined, tip?: (item: T) => string | undefined) {
    return (cell: HTMLTableCellElement) => (item: T) => {
      setText(cell, text(item) ?? '')
      const title = tip?.(item) ?? ''
      if (cell.title !== title) cell.title = title
    }
  }

  /** A cell with a word in a colour. */
  function pillCell<T>(of: (item: T) => readonly [text: string, style: string]) {
    return (cell: HTMLTableCellElement) => {
      const pill = make('span', { class: 'pill' })
      cell.append(pill)
      return (item: T) => {
        const [text, style] = of(item)
        setText(pill, text)
        setClass(pill, `pill ${style}`)
      }
    }
  }

  return {
    make,
    byId,
    setText,
    setClass,
    button,
    duration,
    count,
    clock,
    ago,
    bytes,
    sparkline,
    table,
    textCell,
    pillCell,
  }
}

export type Elements = ReturnType<typeof elements>

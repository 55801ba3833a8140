import type { Elements } from './elements.js'

type Schema = Readonly<Record<string, unknown>>

/** Runs in the page, as its source: fields for what a schema asks for. What has no field of its own is written as JSON. */
export function schemaForm({ make }: Elements) {
  let number = 0

  interface Field {
    readonly element: HTMLElement
    /** Throws `Error` for what cannot be used; undefined where it is left out. */
    readonly read: () => unknown
  }

  function choicesOf(schema: Schema): readonly (readonly [value: unknown, text: string])[] | undefined {
    if (Array.isArray(schema.enum)) {
      const names = Array.isArray(schema.enumNames) ? schema.enumNames : []
      return schema.enum.map((value, index) => [value, String(names[index] ?? value)])
    }
    const options = schema.oneOf ?? schema.anyOf
    if (
      !Array.isArray(options) ||
      !options.every(option => option !== null && typeof option === 'object' && 'const' in option)
    )
      return undefined
    return options.map(option => [option.const, String(option.title ?? option.const)])
  }

  /** The only type that is not null. */
  function typeOf(schema: Schema): unknown {
    if (!Array.isArray(schema.type)) return schema.type
    const types = schema.type.filter(type => type !== 'null')
    return types.length === 1 ? types[0] : undefined
  }

  function field(name: string, schema: Schema, required: boolean): Field {
    const id = `field-${++number}`
    const hintId = `${id}-hint`
    const title = typeof schema.title === 'string' && schema.title !== '' ? schema.title : name
    const style = required ? 'required' : ''
    const hint =
      typeof schema.description === 'string'
        ? make('div', { class: 'hint', id: hintId, text: schema.description })
        : undefined
    const described = hint === undefined ? {} : { 'aria-describedby': hintId }
    const type = typeOf(schema)
    const choices = choicesOf(schema)
    const start = schema.default
    const around = (control: HTMLElement) =>
      make('div', { class: 'field' }, make('label', { for: id, class: style, text: title }), control, hint)
    const missing = () => {
      throw new Error(`${title} is missing`)
    }

    if (choices !== undefined) {
      const select = make('select', { id, name, ...described })
      if (!required || start === undefined)
        select.append(make('option', { value: '', text: required ? 'Choose' : '(left out)' }))
      for (const [index, [value, text]] of choices.entries()) {
        const option = make('option', { value: String(index), text })
        option.selected = start !== undefined && value === start
        select.append(option)
      }
      return {
        element: around(select),
        read: () =>
          select.value === '' ? (required ? missing() : undefined) : choices[Number(select.value)]?.[0],
      }
    }
    if (type === 'boolean') {
      // Three states where it may be left out.
      const select = make('select', { id, name, ...described })
      if (!required && start === undefined) select.append(make('option', { value: '', text: '(left out)' }))
      for (const value of ['true', 'false']) {
        const option = make('option', { value, text: value })
        option.selected = String(start) === value
        select.append(option)
      }
      return {
        element: around(select),
        read: () => (select.value === '' ? undefined : select.value === 'true'),
      }
    }
    if (type === 'number' || type === 'integer') {
      const input = make('input', {
        id,
        name,
        type: 'number',
        step: type === 'integer' ? '1' : 'any',
        ...described,
      })
      if (typeof schema.minimum === 'number') input.min = String(schema.minimum)
      if (typeof schema.maximum === 'number') input.max = String(schema.maximum)
      if (typeof start === 'number') input.value = String(start)
      return {
        element: around(input),
        read: () => {
          if (input.value === '' && !input.validity.badInput) return required ? missing() : undefined
          if (!input.validity.valid) throw new Error(`${title}: ${input.validationMessage}`)
          return Number(input.value)
        },
      }
    }
    if (type === 'string') {
      const formats: Readonly<Record<string, string>> = {
        email: 'email',
        uri: 'url',
        date: 'date',
        password: 'password',
      }
      const kind = formats[String(schema.format)] ?? 'text'
      const isLong = kind === 'text' && (schema.maxLength === undefined || Number(schema.maxLength) > 200)
      const control = isLong
        ? make('textarea', { id, name, rows: '1', spellcheck: 'false', ...described })
        : make('input', { id, name, type: kind, spellcheck: 'false', autocomplete: 'off', ...described })
      if (isLong) control.classList.add('one-line')
      if (typeof start === 'string') control.value = start
      return {
        element: around(control),
        read: () => {
          if (control.value === '' && !required) return undefined
          if (!control.validity.valid) throw new Error(`${title}: ${control.validationMessage}`)
          return control.value
        },
      }
    }
    const items =
      type === 'array' && typeof schema.items === 'object' && schema.items !== null
        ? choicesOf(schema.items as Schema)
        : undefined
    if (items !== undefined) {
      const boxes = items.map(([value, text], index) => {
        const box = make('input', { type: 'checkbox', id: `${id}-${index}` })
        box.checked = Array.isArray(start) && start.includes(value)
        return { value, box, row: make('div', { class: 'row' }, box, make('label', { for: box.id, text })) }
      })
      const element = make(
        'fieldset',
        { class: 'field', ...described },
        make('legend', { class: style, text: title }),
        ...boxes.map(({ row }) => row),
        hint,
      )
      return {
        element,
        read: () => {
          const chosen = boxes.filter(({ box }) => box.checked).map(({ value }) => value)
          return chosen.length === 0 && !required ? undefined : chosen
        },
      }
    }
    const shape = type === 'array' ? '[]' : type === 'object' ? '{}' : ''
    const json = make('textarea', {
      id,
      name,
      spellcheck: 'false',
      placeholder: shape === '' ? 'JSON' : `JSON, such as ${shape}`,
      ...described,
    })
    if (start !== undefined) json.value = JSON.stringify(start, undefined, 2)
    return {
      element: around(json),
      read: () => {
        if (json.value.trim() === '') return required ? missing() : undefined
        try {
          return JSON.parse(json.value)
        } catch (error) {
          throw new Error(`${title} is no JSON: ${(error as Error).message}`)
        }
      },
    }
  }

  /** Fields for the properties of an object. */
  return (schema: unknown) => {
    const { properties, required } = (schema ?? {}) as {
      readonly properties?: unknown
      readonly required?: unknown
    }
    const needed = new Set(Array.isArray(required) ? required : [])
    const entries = typeof properties === 'object' && properties !== null ? Object.entries(properties) : []
    const fields = entries.map(([name, own]) => ({
      name,
      field: field(name, typeof own === 'object' && own !== null ? (own as Schema) : {}, needed.has(name)),
    }))
    return {
      elements: fields.map(({ field: { element } }) => element),
      /** Throws `Error` for what cannot be used. */
      read(): Record<string, unknown> {
        const values = fields.map(({ name, field: { read } }) => [name, read()] as const)
        return Object.fromEntries(values.filter(([, value]) => value !== undefined))
      },
    }
  }
}

export type SchemaForm = ReturnType<typeof schemaForm>

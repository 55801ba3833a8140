// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
/** How clients write references: each syntax read into templates, and written from them. */

import { type Place, type Reference, type Template, toTemplate } from './template.js'

export interface VariableSyntax {
  /** How a variable is written, for messages; undefined where nothing is replaced. */
  readonly example: string | undefined
  read(text: string, at?: Place): Template
  /** Undefined where it cannot be written: no such reference, or plain text that would be read as one. */
  write(template: Template): string | undefined
}

interface Rules {
  readonly example: string
  /** All that is not plain text. */
  readonly pattern: RegExp
  /** What a match stands for; undefined where it is plain text after all. */
  readonly read: (match: RegExpExecArray) => Reference | string | undefined
  /** Undefined where there is no such reference. */
  readonly write: (reference: Reference) => string | undefined
  readonly escape?: (text: string) => string
}

const NAME = '[A-Za-z_][A-Za-z0-9_]*'
const BRACES = /\$\{([^{}]*)\}/g

/** Nothing is replaced. */
export const noVariables: VariableSyntax = {
  example: undefined,
  read: text => toTemplate([text]),
  write: template => (template.every(part => typeof part === 'string') ? template.join('') : undefined),
}

/** `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}`, `${file:path}`, `${claim:NAME}`, `${principal}`; `$${` is the text `${`. */
export const anyportVariables = variables({
  example: '${VAR}',
  pattern: /\$\$\{|\$\{([^{}]*)\}/g,
  read: ([whole, body]) => (body === undefined ? '${' : (readBody(body) ?? foreign(whole, 'anyport'))),
  write: reference => {
    switch (reference.kind) {
      case 'env':
        return `\${${reference.name}${fallbackOf(reference)}}`
      case 'input':
        return `\${input:${reference.id}}`
      case 'file':
        return `\${file:${reference.path}}`
      case 'folder':
        return FOLDERS[reference.folder]
      case 'caller':
        return reference.claim === undefined ? '${principal}' : `\${claim:${reference.claim}}`
      case 'foreign':
        return undefined
    }
  },
  escape: text => text.replaceAll('${', () => '$${'),
})

/** `${VAR}` and, where `fallbacks` says so, `${VAR:-default}`. */
export function shellVariables(fallbacks: boolean): VariableSyntax {
  return variables({
    example: '${VAR}',
    pattern: BRACES,
    read: ([, body = '']) => {
      const [, name, fallback] = variable(body) ?? []
      if (name === undefined || (fallback !== undefined && !fallbacks)) return undefined
      return env(name, fallback)
    },
    write: reference =>
      reference.kind === 'env' && (fallbacks || reference.fallback === undefined)
        ? `\${${reference.name}${fallbackOf(reference)}}`
        : undefined,
  })
}

/** `${env:VAR}` and what else `kinds` names: VS Code and those that follow it. */
export function colonVariables(
  client: string,
  kinds: readonly ('input' | 'file' | 'folder')[],
): VariableSyntax {
  return variables({
    example: '${env:VAR}',
    pattern: BRACES,
    read: ([whole, body = '']) => {
      const [, word, rest] = /^(\w+)(?::(.*))?$/s.exec(body) ?? []
      if (word === 'env' && rest !== undefined && isName(rest)) return env(rest)
      if (word === 'input' && rest && kinds.includes('input')) return { kind: 'input', id: rest }
      if (word === 'file' && rest && kinds.includes('file')) return { kind: 'file', path: rest }
      if (kinds.includes('folder')) {
        if (whole === FOLDERS.home) return { kind: 'folder', folder: 'home' }
        if (whole === FOLDERS.project) return { kind: 'folder', folder: 'project' }
        if (OF_EDITORS.test(body)) return foreign(whole, client)
      }
      return undefined
    },
    write: reference => {
      switch (reference.kind) {
        case 'env':
          return reference.fallback === undefined ? `\${env:${reference.name}}` : undefined
        case 'input':
          return kinds.includes('input') ? `\${input:${reference.id}}` : undefined
        case 'file':
          return kinds.includes('file') ? `\${file:${reference.path}}` : undefined
        case 'folder':
          return kinds.includes('folder') ? FOLDERS[reference.folder] : undefined
        case 'caller':
          return undefined
        case 'foreign':
          return reference.client === client ? reference.text : undefined
      }
    },
  })
}

/** `$VAR` and `${VAR}`: Gemini CLI. */
export const dollarVariables = variables({
  example: '$VAR',
  pattern: new RegExp(`\\$(?:(${NAME})|\\{(${NAME})\\})`, 'g'),
  read: ([, bare, braced]) => env((bare ?? braced) as string),
  write: reference =>
    reference.kind === 'env' && reference.fallback === undefined ? `\${${reference.name}}` : undefined,
})

/** `{env:VAR}`, `{file:path}`: OpenCode. */
export const openCodeVariables = variables({
  example: '{env:VAR}',
  pattern: /\{(env|file):([^{}]+)\}/g,
  read: ([, word, rest = '']) =>
    word === 'file' ? { kind: 'file', path: rest } : isName(rest) ? env(rest) : undefined,
  write: reference => {
    if (reference.kind === 'file') return `{file:${reference.path}}`
    return reference.kind === 'env' && reference.fallback === undefined
      ? `{env:${reference.name}}`
      : undefined
  },
})

/** `${{ secrets.NAME }}`, `${{ inputs.ID }}`: Continue. */
export const continueVariables = variables({
  example: '${{ secrets.NAME }}',
  pattern: /\$\{\{\s*(secrets|inputs)\.([A-Za-z0-9_-]+)\s*\}\}/g,
  read: ([, word, name = '']) =>
    word === 'inputs' ? { kind: 'input', id: name } : isName(name) ? env(name) : undefined,
  write: reference => {
    if (reference.kind === 'input')
      return /^[A-Za-z0-9_-]+$/.test(reference.id) ? `\${{ inputs.${reference.id} }}` : undefined
    return reference.kind === 'env' && reference.fallback === undefined
      ? `\${{ secrets.${reference.name} }}`
      : undefined
  },
})

/** `$VAR`, `${VAR}`, `${VAR:-default}` and `$(command)`, as a shell has them: Crush. */
export const crushVariables = variables({
  example: '$(echo $VAR)',
  pattern: new RegExp(`\\$\\(echo \\$(${NAME})\\)|\\$\\([^()]*\\)|\\$(${NAME})|\\$\\{([^{}]*)\\}`, 'g'),
  read: ([whole, echoed, bare, braced]) => {
    const name = echoed ?? bare
    if (name !== undefined) return env(name)
    if (braced === undefined) return foreign(whole, 'crush')
    const [, inner, fallback] = variable(braced) ?? []
    return inner === undefined ? undefined : env(inner, fallback)
  },
  write: reference => {
    if (reference.kind === 'foreign') return reference.client === 'crush' ? reference.text : undefined
    if (reference.kind !== 'env') return undefined
    return reference.fallback === undefined
      ? `$(echo $${reference.name})`
      : `\${${reference.name}${fallbackOf(reference)}}`
  },
})

const FOLDERS = { home: '${userHome}', project: '${workspaceFolder}' } as const

/** What else editors replace: the open file, a setting, the outcome of a command. */
const OF_EDITORS =
  /^(?:(?:config|command|workspaceFolder|extensionInstallFolder):.+|workspaceFolderBasename|(?:file|relativeFile)[A-Za-z]*|cwd|lineNumber|columnNumber|selectedText|execPath|defaultBuildTask|pathSeparator|\/)$/s

function variables(rules: Rules): VariableSyntax {
  const read = (text: string, at?: Place): Template => {
    const parts: (string | Reference)[] = []
    let offset = 0
    for (const match of text.matchAll(rules.pattern)) {
      const found = rules.read(match as RegExpExecArray)
      if (found === undefined) continue
      parts.push(text.slice(offset, match.index))
      parts.push(typeof found === 'string' || at === undefined ? found : { ...found, at })
      offset = match.index + match[0].length
    }
    return toTemplate([...parts, text.slice(offset)])
  }
  const write = (template: Template): string | undefined => {
    let text = ''
    for (const part of template) {
      const written = typeof part === 'string' ? (rules.escape?.(part) ?? part) : rules.write(part)
      if (written === undefined) return undefined
      text += written
    }
    return equalTemplates(read(text), template) ? text : undefined
  }
  return { example: rules.example, read, write }
}

/** Equal but for where they stand. */
export function equalTemplates(a: Template, b: Template): boolean {
  return JSON.stringify(a.map(withoutPlace)) === JSON.stringify(b.map(withoutPlace))
}

function withoutPlace(part: string | Reference): unknown {
  if (typeof part === 'string') return part
  switch (part.kind) {
    case 'env':
      return [part.kind, part.name, part.fallback]
    case 'input':
      return [part.kind, part.id]
    case 'file':
      return [part.kind, part.path]
    case 'folder':
      return [part.kind, part.folder]
    case 'caller':
      return [part.kind, part.claim]
    case 'foreign':
      return [part.kind, part.text, part.client]
  }
}

/** What stands between the braces of anyport's own syntax; `| value:` is how a draft of a common format writes defaults. */
function readBody(body: string): Reference | undefined {
  if (body === 'userHome') return { kind: 'folder', folder: 'home' }
  if (body === 'workspaceFolder') return { kind: 'folder', folder: 'project' }
  if (body === 'principal') return { kind: 'caller' }
  const [, word, rest] = /^(env|input|file|claim):(.+)$/s.exec(body) ?? []
  if (word === 'claim') return { kind: 'caller', claim: rest as string }
  if (word === 'input') return { kind: 'input', id: rest as string }
  if (word === 'file') return { kind: 'file', path: rest as string }
  const piped = /^([A-Za-z_][A-Za-z0-9_]*)\s*\|\s*value:(.*)$/s.exec(rest ?? body)
  const [, name, fallback] = piped ?? variable(rest ?? body) ?? []
  return name === undefined ? undefined : env(name, fallback)
}

function variable(body: string): RegExpExecArray | null {
  return /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(body)
}

function env(name: string, fallback?: string): Reference {
  return fallback === undefined ? { kind: 'env', name } : { kind: 'env', name, fallback }
}

function foreign(text: string, client: string): Reference {
  return { kind: 'foreign', text, client }
}

function fallbackOf({ fallback }: { readonly fallback?: string }): string {
  return fallback === undefined ? '' : `:-${fallback}`
}

function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
}

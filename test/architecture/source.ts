/** Reads TypeScript files into what the rules of the house ask about: imports, names, constructs. */

import { posix } from 'node:path'
import { parseSync } from 'oxc-parser'

export interface SourceFile {
  /** Relative to `src/`, with forward slashes. */
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly specifier: string
  /** The file that a relative specifier names, relative to `src/`; undefined for packages and `node:`. */
  readonly target: string | undefined
  /** True for `export ... from`. */
  readonly reExport: boolean
  readonly line: number
}

export interface Mention {
  readonly name: string
  readonly line: number
}

export interface Module {
  readonly path: string
  /** Every import: static, dynamic, `import type`, `import('...').Type` and re-exports. */
  readonly imports: readonly Import[]
  /** Every name that stands for itself: not the `b` of `a.b` nor a key, but the `b` of `globalThis.b`. */
  readonly names: readonly Mention[]
  /** Lines with `await`, `for await`, an async function or an async generator. */
  readonly asynchronous: readonly number[]
  /** Names exported that this file only imported. */
  readonly passedOn: readonly Mention[]
  readonly defaultExports: readonly number[]
  readonly enums: readonly number[]
}

/** Throws where the file is not valid TypeScript, so that no rule passes by blindness. */
export function readModule(file: SourceFile): Module {
  const parsed = parseSync(file.path, file.text)
  const [failure] = parsed.errors
  if (failure !== undefined) throw new Error(`${file.path}: ${failure.message}`)

  const imports: Import[] = []
  const names: Mention[] = []
  const asynchronous: number[] = []
  const exported: Mention[] = []
  const defaultExports: number[] = []
  const enums: number[] = []
  const imported = new Set<string>()

  const visit = (node: Node, parent: Node | undefined, key: string) => {
    const line = lineAt(file.text, node.start)
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ImportExpression':
      case 'TSImportType':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration': {
        const source = node.source as Node | null
        if (source === null) break
        if (typeof source.value !== 'string')
          throw new Error(`${file.path}:${line}: import of a computed name`)
        imports.push({
          specifier: source.value,
          target: targetOf(file.path, source.value),
          reExport: node.type.startsWith('Export'),
          line,
        })
        break
      }
      case 'ImportSpecifier':
      case 'ImportDefaultSpecifier':
      case 'ImportNamespaceSpecifier':
        imported.add((node.local as Node).name as string)
        return
      case 'ExportSpecifier': {
        const { type, name } = node.local as Node
        if (parent?.source === null && type === 'Identifier') exported.push({ name: name as string, line })
        return
      }
      case 'ExportDefaultDeclaration':
        defaultExports.push(line)
        break
      case 'TSEnumDeclaration':
        enums.push(line)
        break
      case 'AwaitExpression':
        asynchronous.push(line)
        break
      case 'ForOfStatement':
        if (node.await === true) asynchronous.push(line)
        break
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        if (node.async === true) asynchronous.push(line)
        break
      case 'Identifier':
        if (!isMemberName(parent, key)) names.push({ name: node.name as string, line })
        break
    }
    for (const [childKey, child] of Object.entries(node)) {
      for (const item of Array.isArray(child) ? child : [child]) {
        if (isNode(item)) visit(item, node, childKey)
      }
    }
  }
  visit(parsed.program as unknown as Node, undefined, '')

  const passedOn = exported.filter(({ name }) => imported.has(name))
  return { path: file.path, imports, names, asynchronous, passedOn, defaultExports, enums }
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

function isMemberName(parent: Node | undefined, key: string): boolean {
  if (parent === undefined) return false
  if (key === 'right' && parent.type === 'TSQualifiedName') return true
  if (key === 'property' && parent.type === 'MemberExpression') {
    return parent.computed !== true && (parent.object as Node).name !== 'globalThis'
  }
  return key === 'key' && parent.computed !== true
}

function targetOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

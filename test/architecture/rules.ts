/** The rules of the house (docs/architecture.md), each a function from all modules to what breaks it. */

import { builtinModules } from 'node:module'
import type { Module } from './source.js'

export type Rule = (modules: readonly Module[]) => string[]

/**
 * The floor of each folder of `src/`, and the floors that it may import. A folder that is not named here
 * does not exist.
 */
const FLOORS: Readonly<Record<string, { readonly floor: number; readonly below: number }>> = {
  protocol: { floor: 0, below: 0 },
  exchange: { floor: 1, below: 1 },
  legacy: { floor: 2, below: 2 },
  'middleware/http': { floor: 2, below: 2 },
  'middleware/exchange': { floor: 2, below: 2 },
  config: { floor: 2, below: 2 },
  transport: { floor: 3, below: 3 },
  client: { floor: 4, below: 4 },
  // Knows no wire and no era.
  gateway: { floor: 4, below: 2 },
  cluster: { floor: 4, below: 3 },
  node: { floor: 5, below: 5 },
  sdk: { floor: 5, below: 5 },
  serverless: { floor: 5, below: 5 },
  dashboard: { floor: 5, below: 5 },
  telemetry: { floor: 5, below: 5 },
  cli: { floor: 6, below: 6 },
}

/** Folders that may import what a machine has and a browser has not. */
const ON_THE_MACHINE = ['node', 'cli']

/** Within `transport/`: a binding may build on `channel/`, and files beside the bindings on all of them. */
const BINDINGS = ['channel', 'stdio', 'streamable-http', 'sse']
const ON_CHANNELS = ['stdio', 'sse']

const NODE_GLOBALS = new Set(
  'Buffer process setImmediate clearImmediate global require __dirname __filename NodeJS'.split(' '),
)
const TIMERS_AND_IO = new Set(
  'setTimeout setInterval clearTimeout clearInterval queueMicrotask fetch WebSocket EventSource XMLHttpRequest Worker'.split(
    ' ',
  ),
)
const EMPTY_WORDS = new Set('util utils helper helpers common manager managers'.split(' '))
const NODE_MODULES = new Set(builtinModules)

export const floors: Rule = modules =>
  each(modules, module => {
    const from = folderOf(module.path)
    if (from !== undefined && FLOORS[from] === undefined)
      return [`${module.path}: no such folder in the house`]
    return module.imports.flatMap(({ specifier, target, line }) => {
      const at = `${module.path}:${line}`
      if (specifier === 'anyport' || specifier.startsWith('anyport/'))
        return [`${at}: imports its own package`]
      // A door may open on every floor: what it must not reach has a rule of its own.
      if (from === undefined || target === undefined) return []
      const to = folderOf(target)
      if (to === from) return []
      if (to === undefined) return [`${at}: imports the door ${target}`]
      const below = FLOORS[from]?.below ?? 0
      const floor = FLOORS[to]?.floor
      if (floor === undefined) return [`${at}: no such folder in the house: ${target}`]
      if (floor === FLOORS[from]?.floor) return [`${at}: ${from}/ and ${to}/ share a floor`]
      return floor < below ? [] : [`${at}: ${from}/ may not import ${to}/`]
    })
  })

export const bindings: Rule = modules =>
  each(modules, module => {
    if (folderOf(module.path) !== 'transport') return []
    const from = bindingOf(module.path)
    if (from === undefined) return []
    if (!BINDINGS.includes(from)) return [`${module.path}: no such binding in the house`]
    return module.imports.flatMap(({ target, line }) => {
      if (target === undefined || folderOf(target) !== 'transport') return []
      const to = bindingOf(target)
      if (to === from || (to === 'channel' && ON_CHANNELS.includes(from))) return []
      return [`${module.path}:${line}: ${from}/ may not import ${target}`]
    })
  })

export const noCycles: Rule = modules => {
  const graph = new Map(modules.map(module => [module.path, targetsOf(module)]))
  const done = new Set<string>()
  const path: string[] = []
  const found: string[] = []
  const visit = (file: string) => {
    const start = path.indexOf(file)
    if (start !== -1) found.push([...path.slice(start), file].join(' -> '))
    if (start !== -1 || done.has(file)) return
    path.push(file)
    for (const target of graph.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return found
}

export const webStandardsOnly: Rule = modules =>
  each(modules, module => {
    if (ON_THE_MACHINE.includes(folderOf(module.path) ?? '')) return []
    return [
      ...module.imports
        .filter(({ specifier }) => isOfNode(specifier))
        .map(({ specifier, line }) => `${module.path}:${line}: imports ${specifier}`),
      ...named(module, NODE_GLOBALS),
    ]
  })

/** Whoever enters by the door `fetch.ts` must be able to run where there is no Node. */
export const webDoor: Rule = modules => {
  const byPath = new Map(modules.map(module => [module.path, module]))
  const cameFrom = new Map<string, string>([['fetch.ts', '']])
  const found: string[] = []
  for (const [path] of cameFrom) {
    if (ON_THE_MACHINE.includes(folderOf(path) ?? ''))
      found.push(`fetch.ts reaches ${path} (by ${cameFrom.get(path)})`)
    const module = byPath.get(path)
    if (module === undefined) continue
    for (const target of targetsOf(module)) if (!cameFrom.has(target)) cameFrom.set(target, path)
  }
  return found
}

export const pureProtocol: Rule = modules =>
  each(modules, module => {
    if (folderOf(module.path) !== 'protocol') return []
    return [
      ...module.asynchronous.map(line => `${module.path}:${line}: waits`),
      ...named(module, TIMERS_AND_IO),
      ...module.imports
        .filter(({ target }) => target === undefined)
        .map(({ specifier, line }) => `${module.path}:${line}: imports ${specifier}`),
    ]
  })

/** `doors` are the files that the package exports, relative to `src/`. */
export function onlyDoorsReExport(doors: readonly string[]): Rule {
  return modules =>
    each(modules, module => {
      if (doors.includes(module.path)) return []
      if (folderOf(module.path) === undefined)
        return [`${module.path}: lies at the root but is no door of the package`]
      return [
        ...(module.path.endsWith('/index.ts') ? [`${module.path}: an inner barrel`] : []),
        ...module.imports
          .filter(({ reExport }) => reExport)
          .map(({ specifier, line }) => `${module.path}:${line}: re-exports ${specifier}`),
        ...module.passedOn.map(({ name, line }) => `${module.path}:${line}: re-exports ${name}`),
      ]
    })
}

export const names: Rule = modules =>
  each(modules, ({ path }) => {
    const parts = path.replace(/\.ts$/, '').split('/')
    const odd = !path.endsWith('.ts') || parts.some(part => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(part))
    const empty = parts.flatMap(part => part.split('-')).filter(word => EMPTY_WORDS.has(word))
    return [
      ...(odd ? [`${path}: not kebab-case.ts`] : []),
      ...empty.map(word => `${path}: "${word}" says nothing about what it holds`),
    ]
  })

export const quiet: Rule = modules =>
  each(modules, module => ((floorOf(module.path) ?? 5) < 5 ? named(module, new Set(['console'])) : []))

export const plainLanguage: Rule = modules =>
  each(modules, module => [
    ...module.defaultExports.map(line => `${module.path}:${line}: default export`),
    ...module.enums.map(line => `${module.path}:${line}: enum`),
  ])

function each(modules: readonly Module[], check: (module: Module) => string[]): string[] {
  return modules.flatMap(check)
}

/** The folder by which a file stands on its floor; undefined for files at the root. */
function folderOf(path: string): string | undefined {
  const [first, second] = path.split('/')
  if (second === undefined) return undefined
  return first === 'middleware' && path.split('/').length > 2 ? `${first}/${second}` : first
}

function floorOf(path: string): number | undefined {
  const folder = folderOf(path)
  return folder === undefined ? undefined : FLOORS[folder]?.floor
}

function bindingOf(path: string): string | undefined {
  const parts = path.split('/')
  return parts.length > 2 ? parts[1] : undefined
}

function targetsOf(module: Module): string[] {
  return module.imports.flatMap(({ target }) => (target === undefined ? [] : [target]))
}

function isOfNode(specifier: string): boolean {
  return specifier.startsWith('node:') || NODE_MODULES.has(specifier.split('/')[0] ?? '')
}

function named(module: Module, words: ReadonlySet<string>): string[] {
  return module.names
    .filter(({ name }) => words.has(name))
    .map(({ name, line }) => `${module.path}:${line}: uses ${name}`)
}

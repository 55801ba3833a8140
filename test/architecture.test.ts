import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as rules from './architecture/rules.js'
import { readModule, type SourceFile } from './architecture/source.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const doors = readDoors()
const house = readHouse().map(readModule)

interface Example {
  readonly rule: rules.Rule
  /** Each breaks the rule, alone. */
  readonly bad: readonly Record<string, string>[]
  /** Looks alike and is allowed. */
  readonly good: readonly Record<string, string>[]
}

const onlyDoors = rules.onlyDoorsReExport(['index.ts', 'fetch.ts'])

const examples: Readonly<Record<string, Example>> = {
  'a floor imports lower floors only, and folders of one floor do not know each other': {
    rule: rules.floors,
    bad: [
      { 'protocol/a.ts': `import { b } from '../exchange/b.js'` },
      { 'exchange/a.ts': `import type { B } from '../legacy/b.js'` },
      { 'exchange/a.ts': `type B = import('../transport/channel/b.js').B` },
      { 'transport/stdio/a.ts': `const b = await import('../../client/b.js')` },
      { 'legacy/a.ts': `export * from '../config/b.js'` },
      { 'middleware/http/a.ts': `import { b } from '../exchange/b.js'` },
      { 'gateway/a.ts': `import { b } from '../legacy/b.js'` },
      { 'cluster/a.ts': `import { b } from '../transport/sse/b.js'` },
      { 'client/a.ts': `import { b } from '../gateway/b.js'` },
      { 'node/a.ts': `import { b } from '../cli/b.js'` },
      { 'node/a.ts': `import { b } from '../index.js'` },
      { 'node/a.ts': `import { b } from 'anyport/fetch'` },
      { 'misc/a.ts': `export const a = 1` },
    ],
    good: [
      { 'exchange/a.ts': `import { b } from '../protocol/b.js'` },
      { 'middleware/http/a.ts': `import { b } from '../../exchange/b.js'` },
      { 'client/a.ts': `import { b } from '../transport/stdio/b.js'` },
      { 'cli/a.ts': `import { b } from '../node/b.js'` },
      { 'index.ts': `export { b } from './node/b.js'` },
    ],
  },
  'bindings do not import each other': {
    rule: rules.bindings,
    bad: [
      { 'transport/sse/a.ts': `import { b } from '../streamable-http/b.js'` },
      { 'transport/streamable-http/a.ts': `import type { B } from '../sse/b.js'` },
      { 'transport/channel/a.ts': `import { b } from '../stdio/b.js'` },
      { 'transport/stdio/a.ts': `import { b } from '../http-face.js'` },
      { 'transport/pigeon/a.ts': `export const a = 1` },
    ],
    good: [
      { 'transport/stdio/a.ts': `import { b } from '../channel/b.js'` },
      {
        'transport/http-face.ts': `import { b } from './sse/b.js'; import { c } from './streamable-http/c.js'`,
      },
    ],
  },
  'files do not import each other in circles, types included': {
    rule: rules.noCycles,
    bad: [
      { 'protocol/a.ts': `import { b } from './b.js'`, 'protocol/b.ts': `import type { A } from './a.js'` },
      {
        'protocol/a.ts': `import { b } from './b.js'`,
        'protocol/b.ts': `import { c } from './c.js'`,
        'protocol/c.ts': `type A = import('./a.js').A`,
      },
    ],
    good: [
      {
        'protocol/a.ts': `import { b } from './b.js'; import { c } from './c.js'`,
        'protocol/b.ts': `import { c } from './c.js'`,
        'protocol/c.ts': `export const c = 1`,
      },
    ],
  },
  'only node/ and cli/ know that there is a Node': {
    rule: rules.webStandardsOnly,
    bad: [
      { 'protocol/a.ts': `import { b } from 'node:fs'` },
      { 'client/a.ts': `import type { Socket } from 'net'` },
      { 'client/a.ts': `import { readFile } from 'fs/promises'` },
      { 'serverless/a.ts': `const b = await import('node:http')` },
      { 'transport/stdio/a.ts': `export const b = Buffer.from('')` },
      { 'transport/stdio/a.ts': `export let b: Buffer | undefined` },
      { 'transport/stdio/a.ts': `export let b: NodeJS.Timeout` },
      { 'exchange/a.ts': `export const b = process.env.B` },
      { 'exchange/a.ts': `export const b = globalThis.process` },
      { 'exchange/a.ts': `setImmediate(() => {})` },
    ],
    good: [
      { 'node/a.ts': `import { b } from 'node:fs'; process.exit()` },
      { 'client/a.ts': `export const b = (c: { process: number }) => c.process` },
      { 'client/a.ts': `// process and Buffer\nexport const b = 'setImmediate'` },
    ],
  },
  'the door fetch.ts never reaches the machine': {
    rule: rules.webDoor,
    bad: [
      { 'fetch.ts': `export { b } from './node/b.js'` },
      {
        'fetch.ts': `export { b } from './serverless/b.js'`,
        'serverless/b.ts': `import type { C } from '../node/c.js'`,
      },
    ],
    good: [
      {
        'fetch.ts': `export { b } from './serverless/b.js'`,
        'serverless/b.ts': `export const b = 1`,
        'index.ts': `export { c } from './node/c.js'`,
      },
    ],
  },
  'protocol/ waits for nothing and touches nothing': {
    rule: rules.pureProtocol,
    bad: [
      { 'protocol/a.ts': `export const b = async () => {}` },
      { 'protocol/a.ts': `export async function* b() {}` },
      { 'protocol/a.ts': `export class B { async c() {} }` },
      { 'protocol/a.ts': `await 1` },
      { 'protocol/a.ts': `setTimeout(() => {}, 1)` },
      { 'protocol/a.ts': `queueMicrotask(() => {})` },
      { 'protocol/a.ts': `export const b = globalThis.fetch('')` },
      { 'protocol/a.ts': `import { z } from 'zod'` },
    ],
    good: [
      { 'protocol/a.ts': `export function* b() {}; export const timeout = { setTimeout: 1 }` },
      { 'exchange/a.ts': `export const b = async () => { setTimeout(() => {}, 1) }` },
    ],
  },
  'only the doors of the package re-export': {
    rule: onlyDoors,
    bad: [
      { 'exchange/index.ts': `export const a = 1` },
      { 'exchange/a.ts': `export { b } from './b.js'` },
      { 'exchange/a.ts': `export type { B } from './b.js'` },
      { 'exchange/a.ts': `export * from './b.js'` },
      { 'exchange/a.ts': `import { b } from './b.js'; export { b }` },
      { 'exchange/a.ts': `import { b } from './b.js'; export { b as c }` },
      { 'extra.ts': `export const a = 1` },
    ],
    good: [
      { 'index.ts': `export * from './exchange/b.js'` },
      { 'fetch.ts': `export { b } from './serverless/b.js'` },
      { 'exchange/a.ts': `const b = 1; export { b }` },
    ],
  },
  'files are named in kebab-case, by what they hold': {
    rule: rules.names,
    bad: [
      { 'exchange/fooBar.ts': '' },
      { 'exchange/foo_bar.ts': '' },
      { 'exchange/foo.mts': '' },
      { 'exchange/utils.ts': '' },
      { 'exchange/http-helpers.ts': '' },
      { 'exchange/session-manager.ts': '' },
      { 'exchange/common/foo.ts': '' },
    ],
    good: [{ 'transport/streamable-http/foo-bar2.ts': '' }],
  },
  'nothing below floor 5 prints': {
    rule: rules.quiet,
    bad: [{ 'client/a.ts': `console.error('')` }, { 'protocol/a.ts': `globalThis.console.log('')` }],
    good: [{ 'cli/a.ts': `console.log('')` }, { 'client/a.ts': `export const b = { console: 1 }` }],
  },
  'no default exports, no enums': {
    rule: rules.plainLanguage,
    bad: [{ 'client/a.ts': `export default 1` }, { 'client/a.ts': `export enum B { C }` }],
    good: [{ 'client/a.ts': `export const b = { default: 1 }` }],
  },
}

describe('the house', () => {
  it('was read', () => {
    expect(house.length).toBeGreaterThan(10)
    expect(house.flatMap(module => module.imports).length).toBeGreaterThan(10)
    expect(doors).toContain('index.ts')
  })

  for (const [name, { rule }] of Object.entries(examples)) {
    it(name, () => {
      expect((rule === onlyDoors ? rules.onlyDoorsReExport(doors) : rule)(house)).toEqual([])
    })
  }
})

describe('each rule of the house can fail', () => {
  for (const [name, { rule, bad, good }] of Object.entries(examples)) {
    it.each(bad)(`${name}: refused %#`, files => {
      expect(rule(modulesOf(files)).length).toBeGreaterThan(0)
    })
    it.each(good)(`${name}: allowed %#`, files => {
      expect(rule(modulesOf(files))).toEqual([])
    })
  }

  it('refuses what it cannot read', () => {
    expect(() => modulesOf({ 'exchange/a.ts': 'export const =' })).toThrow('exchange/a.ts')
    expect(() => modulesOf({ 'exchange/a.ts': 'const name = "./b.js"; import(name)' })).toThrow('computed')
  })
})

function modulesOf(files: Record<string, string>) {
  return Object.entries(files).map(([path, text]) => readModule({ path, text }))
}

function readHouse(): SourceFile[] {
  const source = join(ROOT, 'src')
  return readdirSync(source, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => {
      const file = join(entry.parentPath, entry.name)
      return { path: file.slice(source.length + 1).replaceAll('\\', '/'), text: readFileSync(file, 'utf8') }
    })
}

/** The files that `package.json` exports, relative to `src/`. */
function readDoors(): string[] {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  return Object.values<string | { default: string }>(manifest.exports)
    .map(target => (typeof target === 'string' ? target : target.default))
    .filter(target => target.startsWith('./dist/'))
    .map(target => target.replace('./dist/', '').replace(/\.js$/, '.ts'))
}

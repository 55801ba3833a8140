import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Client } from '../../../src/config/client.js'
import { CLIENTS } from '../../../src/config/clients.js'
import { placeToEdit, removeServer, setServer } from '../../../src/config/edit-config.js'
import { jsoncSyntax } from '../../../src/config/jsonc-syntax.js'
import { readConfig } from '../../../src/config/read-config.js'
import type { UnresolvedEntry } from '../../../src/config/server-entry.js'
import type { Syntax } from '../../../src/config/source.js'
import { tomlSyntax } from '../../../src/config/toml-syntax.js'
import { writeServer } from '../../../src/config/write-server.js'
import { yamlSyntax } from '../../../src/config/yaml-syntax.js'
import { differences, entries } from '../../fixtures/config/entries.js'

const SYNTAXES: Readonly<Record<Client['syntax'], Syntax>> = {
  json: jsoncSyntax,
  toml: tomlSyntax,
  yaml: yamlSyntax,
}
/** All clients get as many as this together. */
const RUNS = Number(process.env.CONFIG_RUNS ?? 690)

describe('a server written for a client and read back is the same, or its losses have names', () => {
  for (const client of CLIENTS) {
    it(client.title, () => {
      let written = 0
      fc.assert(
        fc.property(entries, entry => {
          if (checkRoundTrip(entry, client)) written++
        }),
        { numRuns: Math.ceil(RUNS / CLIENTS.length) },
      )
      expect(written).toBeGreaterThan(0)
    }, 600_000)
  }
})

/** False for what the client cannot have at all. */
function checkRoundTrip(entry: UnresolvedEntry, client: Client): boolean {
  const { value, notes } = writeServer(entry, client)
  if (value === undefined) {
    expect(notes.some(({ kind }) => kind === 'refused')).toBe(true)
    return false
  }
  const syntax = SYNTAXES[client.syntax]
  const place = placeToEdit('', syntax, client)
  const text = setServer('', syntax, place, entry.name, value)
  const { servers, problems } = readConfig({ file: 'test', text, syntax }, { client })
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  expect(servers.map(({ name }) => name)).toEqual([entry.name])
  const different = differences(entry, servers[0] as UnresolvedEntry)
  const named = (field: string) =>
    notes.some(
      note => field === note.field || field.startsWith(`${note.field}.`) || isPassedOn(field, note.field),
    )
  expect({
    client: client.id,
    unnamed: different.filter(field => !named(field)),
    text: text.slice(0, 2_000),
  }).toMatchObject({ unnamed: [] })
  // What is named as lost is lost.
  const lost = notes.filter(({ kind }) => kind === 'lost').map(({ field }) => field)
  expect(
    lost.filter(field => !different.some(other => other === field || other.startsWith(`${field}.`))),
  ).toEqual([])
  const removed = removeServer(text, syntax, place, entry.name)
  expect(readConfig({ file: 'test', text: removed, syntax }, { client }).servers).toEqual([])
  return true
}

/** A variable that is passed on under its own name stands in `env` for some clients, in a list for others. */
function isPassedOn(field: string, named: string): boolean {
  const name = /^server\.(?:inheritEnv|env)\.(.*)$/s
  return name.exec(field)?.[1] !== undefined && name.exec(field)?.[1] === name.exec(named)?.[1]
}

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what clients write
/** What people write: configurations in three syntaxes, variables, command lines, units. */

import { getStaticTOMLValue, parseTOML } from 'toml-eslint-parser'
import { text as anyText, integer, list, parseArguments, UsageError, value } from '../../src/cli/arguments.js'
import { CLIENTS } from '../../src/config/clients.js'
import { placeToEdit, removeServer, setServer } from '../../src/config/edit-config.js'
import { jsoncSyntax } from '../../src/config/jsonc-syntax.js'
import { readConfig } from '../../src/config/read-config.js'
import { inputsOf, resolveEntry } from '../../src/config/resolve.js'
import { nodeAt, type PlainObject, type Syntax, SyntaxProblem, toPlain } from '../../src/config/source.js'
import { tomlSyntax } from '../../src/config/toml-syntax.js'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.js'
import {
  anyportVariables,
  colonVariables,
  continueVariables,
  crushVariables,
  dollarVariables,
  equalTemplates,
  openCodeVariables,
  shellVariables,
  type VariableSyntax,
} from '../../src/config/variables.js'
import { yamlSyntax } from '../../src/config/yaml-syntax.js'
import { literalHeaders, resolveHeaders } from '../../src/node/http/header-values.js'
import { parseEnvFile } from '../../src/node/process/env-file.js'
import { parseVersion, satisfies } from '../../src/node/process/version-range.js'
import { configurations, MESSAGES } from '../corpus.js'
import { mutateJson, mutateText } from '../mutate.js'
import { attempt, must, type Target } from '../target.js'

const TOKENS: Readonly<Record<string, readonly string[]>> = {
  json: [
    '"mcpServers": {',
    '"__proto__": {}',
    '"command": "x"',
    '// c\n',
    '/* c */',
    ',',
    '"a": 1,',
    '{"',
    '\\u0000',
    '\\ud800',
    '[[',
    'true',
    'null',
    '1e400',
  ],
  toml: [
    '[mcp_servers.x]\n',
    '[[a]]\n',
    'a.b = 1\n',
    '"""',
    "'''",
    '= { x = 1 }',
    '# c\n',
    '\\u0000',
    '__proto__ = 1\n',
    '1979-05-27T07:32:00Z',
    'inf',
    'nan',
    '0xff',
  ],
  yaml: [
    '- ',
    ': ',
    '? ',
    '&a ',
    '*a',
    '<<: *a',
    '!!binary ',
    '!!js/function ',
    '|\n',
    '>-\n',
    '---\n',
    '...\n',
    '%YAML 1.1\n',
    '{a: b}',
    '[a, b]',
    '~',
    'yes',
    '# c\n',
    '\t',
  ],
}

const SYNTAXES: readonly (readonly [string, Syntax, string, readonly string[]])[] = [
  [
    'json',
    jsoncSyntax,
    'mcp.json',
    [...configurations('.json'), '{ // c\n "mcpServers": { "a": { "command": "x", }, } }'],
  ],
  [
    'toml',
    tomlSyntax,
    '.codex/config.toml',
    [...configurations('.toml'), '[mcp_servers.a]\ncommand = "x"\n\n[mcp_servers.b]\nurl = "http://h"\n'],
  ],
  [
    'yaml',
    yamlSyntax,
    'config.yaml',
    [
      ...configurations('.yaml'),
      'mcpServers:\n  - name: a\n    command: x\n',
      'extensions:\n  a: {cmd: x}\n',
    ],
  ],
]

/** Never throws: what is wrong is said, with a place in the text. */
function reading([name, syntax, file, seeds]: (typeof SYNTAXES)[number]): Target {
  return {
    name: `read-${name}`,
    weight: name === 'json' ? 1.5 : 0.4,
    limit: 1_500,
    make: random => shortened(mutateText(random, seeds, TOKENS[name])),
    check(text: string, random) {
      const client = random.chance(0.4) ? random.pick(CLIENTS) : undefined
      const { servers, problems } = readConfig({ file, text, syntax }, { client })
      const breaks = text.split('\n').length
      for (const { place, message } of problems) {
        must(
          place.line >= 1 && place.line <= breaks && place.column >= 1,
          () => `a problem at ${place.line}:${place.column}`,
        )
        must(message !== '' && !message.includes('undefined'), () => `the problem is ${message}`)
      }
      inputsOf(servers)
      for (const server of servers)
        resolveEntry(server, { env: asked => (asked.length % 2 === 0 ? 'value' : undefined) })
      must(
        ({} as Record<string, unknown>).polluted === undefined && Object.keys(Object.prototype).length === 0,
        'polluted',
      )
    },
  }
}

const VALUE: PlainObject = {
  command: 'new',
  args: ['-x', 'y "z"\n\u0000'],
  env: { A: 'b\\c', __proto__x: 'ü' },
}

/** What other readers of the same syntax say; ours may refuse more, but reads nothing otherwise. */
const REFERENCES_OF: Readonly<Record<string, (text: string) => unknown>> = {
  json: text => JSON.parse(text),
  // It assigns keys, where one would be the prototype.
  toml: text => getStaticTOMLValue(parseTOML(text, { tomlVersion: '1.0' })),
}

function agreeing([name, syntax, , seeds]: (typeof SYNTAXES)[number]): Target {
  return {
    name: `agree-${name}`,
    weight: name === 'json' ? 1 : 0.3,
    limit: 1_500,
    make: random =>
      shortened(
        name === 'json' && random.chance(0.7)
          ? mutateJson(random, MESSAGES)
          : mutateText(random, seeds, TOKENS[name]),
      ),
    check(text: string) {
      if (name === 'toml' && text.includes('__proto__')) return
      const read = attempt(() => syntax.parse(text), SyntaxProblem)
      let expected: unknown
      try {
        expected = REFERENCES_OF[name]?.(text)
      } catch {
        must(name === 'json' || 'error' in read, 'was read although the library refuses it')
        return
      }
      if ('error' in read) {
        must(
          name !== 'json' || /twice|deeper/.test(read.error.message),
          () => `was refused: ${read.error.message}`,
        )
        return
      }
      if (read.value === undefined) return
      must(
        canonical(toPlain(read.value)) === canonical(expected),
        () => `${canonical(toPlain(read.value as never))} is not ${canonical(expected)}`,
      )
    },
  }
}

/** Keys in order, as maps of TOML come in pieces; dates and big integers as the texts and numbers that they are for us. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return Number(inner)
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** An edit sets or removes its entry and leaves the rest, or says why it cannot, and changes nothing then. */
function editing([name, syntax, , seeds]: (typeof SYNTAXES)[number]): Target {
  const clients = CLIENTS.filter(client => client.syntax === name || client.universal)
  return {
    name: `edit-${name}`,
    weight: name === 'json' ? 1 : 0.3,
    limit: 1_500,
    make: random => shortened(mutateText(random, seeds, TOKENS[name])),
    check(text: string, random) {
      if ('error' in attempt(() => syntax.parse(text), SyntaxProblem)) return
      const client = random.pick(clients)
      const place = placeToEdit(text, syntax, client)
      const added = random.pick(['added', 'a', '__proto__', 'x y', 'ü"', '0'])
      const once = edited(() => setServer(text, syntax, place, added, VALUE))
      if (once === undefined) return
      const node = nodeAt(syntax.parse(once), place.path)
      const plain = node === undefined ? undefined : toPlain(node)
      const found = Array.isArray(plain)
        ? plain.find(item => (item as { name?: unknown }).name === added)
        : (plain as PlainObject | undefined)?.[added]
      must(JSON.stringify(found).includes('"command":"new"'), () => `set as ${JSON.stringify(found)}`)
      must(setServer(once, syntax, place, added, VALUE) === once, 'what is there is written anew')
      const without = edited(() => removeServer(once, syntax, place, added))
      if (without !== undefined)
        must('value' in attempt(() => syntax.parse(without), SyntaxProblem), 'cannot be read any more')
    },
  }
}

/** Undefined where the edit was refused by one of the two errors that say so. */
function edited(edit: () => string): string | undefined {
  try {
    return edit()
  } catch (error) {
    if (error instanceof SyntaxProblem) return undefined
    if (error instanceof Error && error.message.startsWith('The edit would have changed more'))
      return undefined
    throw error
  }
}

export const [readJson, readToml, readYaml] = SYNTAXES.map(reading) as [Target, Target, Target]
export const [agreeJson, agreeToml] = SYNTAXES.slice(0, 2).map(agreeing) as [Target, Target]
export const [editJson, editToml, editYaml] = SYNTAXES.map(editing) as [Target, Target, Target]

const VARIABLES: readonly VariableSyntax[] = [
  anyportVariables,
  shellVariables(true),
  shellVariables(false),
  colonVariables('vscode', ['input', 'file', 'folder']),
  dollarVariables,
  openCodeVariables,
  continueVariables,
  crushVariables,
]
const REFERENCES = [
  '${A}',
  '${A:-b}',
  '$A',
  '${env:A}',
  '${input:x}',
  '{env:A}',
  '{file:x}',
  '${{ secrets.A }}',
  '$(echo $A)',
  '$${',
  '${A | value:b}',
  '${userHome}',
  'plain',
]

/** What is read can be written again, or it is said that it cannot; what is written is read as the same. */
export const variables: Target = {
  name: 'variables',
  weight: 2,
  limit: 400,
  make: random => mutateText(random, REFERENCES, [...REFERENCES, '${', '}', '$', '{', ':-', '\\']),
  check(text: string) {
    for (const syntax of VARIABLES) {
      const template = syntax.read(text)
      must(
        template.every(
          (part, at) => part !== '' && !(typeof part === 'string' && typeof template[at - 1] === 'string'),
        ),
        'no template',
      )
      const written = syntax.write(template)
      if (written !== undefined)
        must(equalTemplates(syntax.read(written), template), () => `written as ${written}`)
    }
    const headers = attempt(() => resolveHeaders({ 'x-a': text }, { A: 'value', B: '' }), TypeError)
    if ('value' in headers) must(/^[\t\x20-\x7e\x80-\xff]*$/.test(headers.value['x-a'] ?? ''), 'no header')
    const literal = attempt(() => resolveHeaders(literalHeaders({ 'x-a': text }), {}), TypeError)
    if ('value' in literal)
      must(literal.value['x-a'] === text.trim(), () => `became ${JSON.stringify(literal.value['x-a'])}`)
    else must(/[^\t\x20-\x7e\x80-\xff]/.test(text.trim()), () => literal.error.message)
  },
}

export const units: Target = {
  name: 'units',
  weight: 1,
  make: random =>
    mutateText(
      random,
      ['500ms', '2s', '1.5h', '10 m', '64KiB', '4MB', '0', '1e3s'],
      ['ms', 's', 'h', 'MiB', '.', '-', 'e9', '9'.repeat(400)],
    ),
  check(text: string) {
    const duration = attempt(() => parseDuration(text), TypeError)
    if ('value' in duration) {
      must(Number.isSafeInteger(duration.value) && duration.value >= 0, () => `${duration.value} ms`)
      must(parseDuration(formatDuration(duration.value)) === duration.value, 'written otherwise')
    }
    const size = attempt(() => parseSize(text), TypeError)
    if (!('value' in size)) return
    must(Number.isSafeInteger(size.value) && size.value >= 0, () => `${size.value} bytes`)
    must(parseSize(formatSize(size.value)) === size.value, 'written otherwise')
  },
}

const OPTIONS = {
  port: value('p', integer(0, 65_535), { metavar: 'PORT' }),
  name: value('n', anyText, { metavar: 'NAME' }),
  header: list('h', anyText, { metavar: 'H' }),
  timeout: value('t', parseDuration, { metavar: 'TIME', default: '30s' }),
}

export const commandLines: Target = {
  name: 'command-lines',
  weight: 1,
  make: random =>
    mutateText(
      random,
      ['--port 80 -- node x.js', '--name=a --header b --header=c', 'serve --timeout 5s', '--__proto__=1'],
      ['--', '--port', '=', ' ', '--constructor', '-x', '--header'],
    ),
  check(text: string) {
    const parsed = attempt(() => parseArguments(OPTIONS, text.split(' ')), UsageError)
    if (!('value' in parsed)) {
      must(parsed.error.message !== '', 'says nothing')
      return
    }
    const { port, timeout, header } = parsed.value.options
    must(port === undefined || (port >= 0 && port <= 65_535), 'port')
    must(Number.isFinite(timeout) && Array.isArray(header), 'values')
  },
}

export const envFiles: Target = {
  name: 'env-files',
  weight: 1,
  make: random =>
    mutateText(
      random,
      ['A=1\nexport B="x\\ny" # c\n', "C='a\nb'\n#\n\nD=`x`", 'E=a # b'],
      ['=', '"', "'", '\\', '#', 'export ', '__proto__=x\n'],
    ),
  check(text: string) {
    const parsed = attempt(() => parseEnvFile(text, 'FILE'), TypeError)
    if ('error' in parsed) {
      must(/^FILE:\d+: /.test(parsed.error.message), () => parsed.error.message)
      return
    }
    for (const inner of Object.values(parsed.value)) must(typeof inner === 'string', 'no text')
  },
}

export const versions: Target = {
  name: 'version-ranges',
  weight: 0.5,
  make: random =>
    mutateText(
      random,
      ['>=20.19 <23', '^18 || ~20.1.x', '1.2.3 - 2', '*', 'v22.1.0'],
      ['||', ' - ', '>=', '^', '.x', ' '],
    ),
  check(text: string) {
    parseVersion(text)
    const found = satisfies([20, 19, 0], text)
    must(found === undefined || typeof found === 'boolean', 'no answer')
  },
}

function shortened(text: string): string {
  return text.slice(0, 6_000)
}

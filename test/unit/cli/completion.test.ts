import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADVISE } from '../../../src/cli/advise-options.js'
import { AUDIT } from '../../../src/cli/audit.js'
import { CALL } from '../../../src/cli/call-options.js'
import { completedCommands } from '../../../src/cli/completed-commands.js'
import { bashCompletion } from '../../../src/cli/completion-bash.js'
import { fishCompletion } from '../../../src/cli/completion-fish.js'
import { COMPLETION } from '../../../src/cli/completion-options.js'
import { zshCompletion } from '../../../src/cli/completion-zsh.js'
import { CONFIG } from '../../../src/cli/config-options.js'
import { INSPECT } from '../../../src/cli/inspect-options.js'
import { SERVE } from '../../../src/cli/serve-options.js'
import { installedProgram } from '../../fixtures/installed-program.js'

const SPECS = {
  serve: SERVE,
  call: CALL,
  inspect: INSPECT,
  config: CONFIG,
  advise: ADVISE,
  audit: AUDIT,
  completion: COMPLETION,
}
const commands = completedCommands(SPECS)
const scripts = {
  bash: bashCompletion(commands),
  zsh: zshCompletion(commands),
  fish: fishCompletion(commands),
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'))
  mkdirSync(join(folder, 'a folder'))
  writeFileSync(join(folder, 'a file.json'), '')
  for (const [shell, script] of Object.entries(scripts)) writeFileSync(join(folder, `.${shell}`), script)
})
afterAll(() => rmSync(folder, { recursive: true }))

const has = (shell: string) => installedProgram(shell) !== undefined

/** What the last word is completed to, by bash as it calls the function: `=` is a word of its own there. */
function inBash(line: string): readonly string[] {
  const words = ['anyport', ...line.split(' ').flatMap(word => word.split(/(?<=^--[a-z-]+)(=)/))].filter(
    (word, index, all) => word !== '' || index === all.length - 1,
  )
  const program = `source .bash || exit
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_anyport
((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"
exit 0`
  return execFileSync('bash', ['--norc', '--noprofile', '-c', program, 'bash', ...words], {
    cwd: folder,
    encoding: 'utf8',
  })
    .split('\n')
    .filter(Boolean)
}

describe.skipIf(!has('bash'))('bash', () => {
  it.each<[string, readonly string[]]>([
    ['', [...Object.keys(SPECS), 'help', 'version', '--help', '--version']],
    ['c', ['call', 'config', 'completion']],
    ['help con', ['config']],
    ['config ', ['list', 'add', 'remove', 'import', 'export', 'convert']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['serve --transp', ['--transport']],
    ['serve --transport ', ['auto', 'modern', 'streamable-http', 'sse']],
    ['serve --transport s', ['streamable-http', 'sse']],
    ['serve --transport=s', ['streamable-http', 'sse']],
    ['serve --transport=', ['auto', 'modern', 'streamable-http', 'sse']],
    ['serve --transport sse --log-f', ['--log-format']],
    // An option that a command does not have.
    ['config --transp', ['--transport']],
    ['audit --transp', []],
    // The same name with other meanings.
    ['config --scope ', ['user', 'project', 'local']],
    ['serve --scope ', []],
    ['advise --asks ', []],
    ['call --config ', ['a file.json', 'a folder']],
    ['call --config=a', ['a file.json', 'a folder']],
    ['call --output ', ['a folder']],
    ['call --client cur', ['cursor']],
    ['call --timeout ', []],
    ['audit verify ', ['a file.json', 'a folder']],
    ['call echo ', []],
    ['serve -- cat a', ['a file.json', 'a folder']],
    ['serve -- cat --transp', []],
    ['nonsense --', ['--']],
  ])('anyport %s', (line, expected) => {
    // The folder also holds the scripts, which are hidden.
    expect(
      inBash(line)
        .filter(word => !word.startsWith('.'))
        .sort(),
    ).toEqual([...expected].sort())
  })

  it('completes the command behind -- as such', () => {
    expect(inBash('serve --stdio -- printen')).toContain('printenv')
  })
})

describe.each(Object.entries(scripts))('the script for %s', (shell, script) => {
  it('has every command, option, choice and action of the tables', () => {
    for (const { name, options, actions } of commands) {
      const part = partFor(shell, script, name)
      for (const option of options)
        expect(part, `${name} --${option.name}`).toMatch(new RegExp(`(?:--|-l )${option.name}(?![a-z-])`))
      for (const action of actions) expect(script).toContain(action)
    }
    expect(commands.find(({ name }) => name === 'config')?.actions).toHaveLength(6)
    for (const choice of ['streamable-http', 'client-credentials', 'claude-desktop', 'emergency'])
      expect(script).toContain(choice)
  })

  it('is one that the shell can read', { skip: !has(shell) }, () => {
    const noRun = shell === 'fish' ? '--no-execute' : '-n'
    expect(spawnSync(shell, [noRun, join(folder, `.${shell}`)], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })
})

it('completes in fish', { skip: !has('fish') }, () => {
  const inFish = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source .fish; complete -C '${line}'`], {
      cwd: folder,
      encoding: 'utf8',
    })
      .split('\n')
      .map(text => text.split('\t')[0])
      .filter(Boolean)
  expect(inFish('anyport serve --transport s')).toEqual(['sse', 'streamable-http'])
  expect(inFish('anyport config ')).toEqual(['add', 'convert', 'export', 'import', 'list', 'remove'])
  expect(inFish('anyport call --config a')).toEqual(['a file.json', 'a folder/'])
})

/** The lines of one command. */
function partFor(shell: string, script: string, name: string): string {
  if (shell === 'fish')
    return script
      .split('\n')
      .filter(line => line.includes(`'__anyport_in ${name}'`))
      .join('\n')
  const start = shell === 'bash' ? `    ${name}) options=` : `    ${name})\n      _arguments`
  const from = script.indexOf(start)
  expect(from).toBeGreaterThan(0)
  return script.slice(from, script.indexOf(';;', from))
}

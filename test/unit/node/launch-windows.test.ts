import { describe, expect, it } from 'vitest'
import { type LaunchRequest, planLaunch } from '../../../src/node/process/launch-plan.js'
import { inventedFiles } from './invented-files.js'

const NODEJS = 'C:\\Program Files\\nodejs'
const NODE = `${NODEJS}\\node.exe`
const NPX = `${NODEJS}\\node_modules\\npm\\bin\\npx-cli.js`
const TOOLS = 'C:\\tools'
const CMD = 'C:\\Windows\\System32\\cmd.exe'

/** As npm itself is installed with Node. */
const npmsOwn = (name: string) => `:: Created by npm, please don't edit manually.
@ECHO OFF

SETLOCAL

SET "NODE_EXE=%~dp0\\node.exe"
IF NOT EXIST "%NODE_EXE%" (
  SET "NODE_EXE=node"
)

SET "NPM_PREFIX_JS=%~dp0\\node_modules\\npm\\bin\\npm-prefix.js"
SET "${name.toUpperCase()}_CLI_JS=%~dp0\\node_modules\\npm\\bin\\${name}-cli.js"
FOR /F "delims=" %%F IN ('CALL "%NODE_EXE%" "%NPM_PREFIX_JS%"') DO (
  SET "NPM_PREFIX_${name.toUpperCase()}_CLI_JS=%%F\\node_modules\\npm\\bin\\${name}-cli.js"
)
IF EXIST "%NPM_PREFIX_${name.toUpperCase()}_CLI_JS%" (
  SET "${name.toUpperCase()}_CLI_JS=%NPM_PREFIX_${name.toUpperCase()}_CLI_JS%"
)

"%NODE_EXE%" "%${name.toUpperCase()}_CLI_JS%" %*
`

/** As npm 7 and later write them for global packages. */
const cmdShim = (script: string, { program = 'node', more = '' } = {}) => `@ECHO off
GOTO start
:find_dp0
SET dp0=%~dp0
EXIT /b
:start
SETLOCAL
CALL :find_dp0

IF EXIST "%dp0%\\${program}.exe" (
  SET "_prog=%dp0%\\${program}.exe"
) ELSE (
  SET "_prog=${program}"
  SET PATHEXT=%PATHEXT:;.JS;=;%
)

endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%" ${more} "%dp0%\\${script}" %*
`

/** As npm 6 and older, and pnpm, write them. */
const olderShim = (script: string, head = '') => `${head}@IF EXIST "%~dp0\\node.exe" (
  "%~dp0\\node.exe"  "%~dp0\\${script}" %*
) ELSE (
  @SETLOCAL
  @SET PATHEXT=%PATHEXT:;.JS;=;%
  node  "%~dp0\\${script}" %*
)
`

const FILES = {
  [NODE]: '',
  [`${NODEJS}\\npx`]: '#!/usr/bin/env bash\n',
  [`${NODEJS}\\npx.cmd`]: npmsOwn('npx'),
  [`${NODEJS}\\npx.ps1`]: '',
  [`${NODEJS}\\npm.cmd`]: npmsOwn('npm'),
  [NPX]: '',
  [`${TOOLS}\\pnpm.cmd`]: cmdShim('node_modules\\corepack\\dist\\pnpm.js'),
  [`${TOOLS}\\yarn.cmd`]: '@echo off\r\nnode "%~dp0\\yarn.js" %*\r\n',
  [`${TOOLS}\\mcp-remote.cmd`]: cmdShim('..\\lib\\mcp-remote\\proxy.js', { more: '--no-warnings' }),
  [`${TOOLS}\\older.cmd`]: olderShim('node_modules\\older\\bin.js'),
  [`${TOOLS}\\with-path.cmd`]: olderShim(
    'bin.js',
    '@SETLOCAL\n@IF NOT DEFINED NODE_PATH (\n  @SET "NODE_PATH=C:\\store"\n) ELSE (\n  @SET "NODE_PATH=C:\\store;%NODE_PATH%"\n)\n',
  ),
  [`${TOOLS}\\pytool.cmd`]: cmdShim('pytool\\main.py', { program: 'python' }),
  [`${TOOLS}\\scooped.cmd`]: '@rem C:\\apps\\x.exe\n@"C:\\apps\\x.exe" run %*\n',
  'C:\\apps\\x.exe': '',
  [`${TOOLS}\\python.exe`]: 'MZ',
  [`${TOOLS}\\uvx.exe`]: 'MZ',
  [`${TOOLS}\\old.com`]: '',
  [`${TOOLS}\\both.exe`]: '',
  [`${TOOLS}\\both.cmd`]: 'echo\n',
  [`${TOOLS}\\run.bat`]: '@echo off\r\nchcp 65001 >nul\r\npython server.py %*\r\n',
  [`${TOOLS}\\simple.bat`]: '@echo off\r\nset MODE=stdio\r\npython server.py %*\r\n',
  [`${TOOLS}\\twice.bat`]: 'python a.py %*\r\npython a.py %*\r\n',
  [`${TOOLS}\\clever.cmd`]: '@echo off\nif "%1"=="x" node "%~dp0\\x.js" %*\n',
  [`${TOOLS}\\only.ps1`]: '',
  [`${TOOLS}\\server.js`]: '',
  [`${TOOLS}\\script`]: '#!/usr/bin/env python\n',
  [`${TOOLS}\\notes.txt`]: 'no program',
  [`${TOOLS}\\100% sure\\go.bat`]: 'x\n',
  'C:\\a & b (x86)\\s^e!r.bat': 'x\n',
  '\\\\server\\share\\tool.exe': '',
  '\\\\server\\share\\start.cmd': 'x\n',
  'C:\\project\\local.exe': '',
  'C:\\project\\bin\\start.cmd': olderShim('start.js'),
  'C:\\Users\\me\\.local\\bin\\hidden.exe': '',
}

const ENV = {
  Path: `"${NODEJS}";${TOOLS};`,
  PATHEXT: '.COM;.EXE;.BAT;.CMD;.VBS;.JS;.MSC',
  ComSpec: CMD,
  SystemRoot: 'C:\\Windows',
  USERPROFILE: 'C:\\Users\\me',
}

function plan(command: string, args: readonly string[] = [], change: Partial<LaunchRequest> = {}) {
  return planLaunch({
    platform: 'win32',
    command,
    args,
    env: ENV,
    cwd: 'C:\\project',
    files: inventedFiles('win32', FILES),
    ...change,
  })
}

/** What cmd.exe gets, from `/c` on. */
const line = (text: string) => ['/d', '/e:on', '/v:off', '/s', '/c', text]
const run = (...args: string[]) => ['run.bat', args] as const

type Row = readonly [command: string, args: readonly string[], file: string, expected: readonly string[]]

const PLAIN: readonly Row[] = [
  // Programs
  ['uvx', ['a b', 'c'], `${TOOLS}\\uvx.exe`, ['a b', 'c']],
  ['UVX.EXE', [], `${TOOLS}\\UVX.EXE`, []],
  ['node', ['a.js', '"', '%PATH%', '^', '&'], NODE, ['a.js', '"', '%PATH%', '^', '&']],
  ['old', [], `${TOOLS}\\old.com`, []],
  ['both', [], `${TOOLS}\\both.exe`, []],
  ['C:\\Program Files\\nodejs\\node.exe', ['x'], NODE, ['x']],
  ['C:/Program Files/nodejs/node', ['x'], NODE, ['x']],
  ['"C:\\Program Files\\nodejs\\node.exe"', ['x'], NODE, ['x']],
  ['\\\\server\\share\\tool.exe', [], '\\\\server\\share\\tool.exe', []],
  ['\\\\server\\share\\tool', [], '\\\\server\\share\\tool.exe', []],
  ['.\\local', [], 'C:\\project\\local.exe', []],
  ['../tools/uvx', [], `${TOOLS}\\uvx.exe`, []],
  // Wrappers of package managers
  ['npx', ['-y', 'pkg'], NODE, [NPX, '-y', 'pkg']],
  ['npx.cmd', ['-y', 'pkg'], NODE, [NPX, '-y', 'pkg']],
  ['NPX', ['pkg'], NODE, [NPX, 'pkg']],
  ['C:\\Program Files\\nodejs\\npx', ['pkg'], NODE, [NPX, 'pkg']],
  ['C:\\Program Files\\nodejs\\npx.cmd', ['pkg'], NODE, [NPX, 'pkg']],
  [
    'npx',
    ['mcp-remote', '--header', 'Authorization: Bearer x'],
    NODE,
    [NPX, 'mcp-remote', '--header', 'Authorization: Bearer x'],
  ],
  ['npx', ['%PATH%', 'a&b', '"q"', 'x^y', '\n'], NODE, [NPX, '%PATH%', 'a&b', '"q"', 'x^y', '\n']],
  ['npm', ['start'], NODE, [`${NODEJS}\\node_modules\\npm\\bin\\npm-cli.js`, 'start']],
  ['pnpm', ['dlx', 'x'], NODE, [`${TOOLS}\\node_modules\\corepack\\dist\\pnpm.js`, 'dlx', 'x']],
  ['yarn', ['dlx', 'x'], NODE, [`${TOOLS}\\yarn.js`, 'dlx', 'x']],
  [
    'mcp-remote',
    ['https://x/?a=1&b=2'],
    NODE,
    ['--no-warnings', 'C:\\lib\\mcp-remote\\proxy.js', 'https://x/?a=1&b=2'],
  ],
  ['older', ['a b'], NODE, [`${TOOLS}\\node_modules\\older\\bin.js`, 'a b']],
  ['bin\\start', [], NODE, ['C:\\project\\bin\\start.js']],
  ['pytool', ['%A%'], `${TOOLS}\\python.exe`, [`${TOOLS}\\pytool\\main.py`, '%A%']],
  ['simple', ['a b'], `${TOOLS}\\python.exe`, ['server.py', 'a b']],
  ['scooped', ['a'], 'C:\\apps\\x.exe', ['run', 'a']],
  // The cmd that people put around them
  ['cmd', ['/c', 'npx', '-y', 'a b'], NODE, [NPX, '-y', 'a b']],
  ['cmd.exe', ['/D', '/S', '/C', 'npx', 'x'], NODE, [NPX, 'x']],
  // Scripts
  ['server.js', ['a'], NODE, [`${TOOLS}\\server.js`, 'a']],
  ['C:\\tools\\server.js', ['a'], NODE, [`${TOOLS}\\server.js`, 'a']],
  ['C:\\tools\\script', ['a'], `${TOOLS}\\python.exe`, [`${TOOLS}\\script`, 'a']],
  // Nowhere: left to the system
  ['nowhere', ['a'], 'nowhere', ['a']],
  ['local', [], 'local', []],
  ['cmd', ['/c', 'dir', '&', 'x'], 'cmd', ['/c', 'dir', '&', 'x']],
]

const BATCH: readonly (readonly [command: string, args: readonly string[], line: string])[] = [
  [...run(), '""C:\\tools\\run.bat""'],
  ['run', [], '""C:\\tools\\run.bat""'],
  [...run('a', 'b c'), '""C:\\tools\\run.bat" "a" "b c""'],
  [...run(''), '""C:\\tools\\run.bat" """'],
  [...run('a"b'), '""C:\\tools\\run.bat" "a""b""'],
  [...run('a\\"b'), '""C:\\tools\\run.bat" "a\\\\""b""'],
  [...run('{"k":"v w"}'), '""C:\\tools\\run.bat" "{""k"":""v w""}""'],
  [...run('"&calc&"'), '""C:\\tools\\run.bat" """&calc&""""'],
  [...run('C:\\dir\\'), '""C:\\tools\\run.bat" "C:\\dir\\\\""'],
  [...run('a&b|c', '<in>', '(x)'), '""C:\\tools\\run.bat" "a&b|c" "<in>" "(x)""'],
  [...run('^caret', '!bang!'), '""C:\\tools\\run.bat" "^caret" "!bang!""'],
  [...run('100%'), '""C:\\tools\\run.bat" "100%%cd:~,%""'],
  [...run('\u00fcml\u00e4ut \u{1f600}'), '""C:\\tools\\run.bat" "\u00fcml\u00e4ut \u{1f600}""'],
  ['twice', ['x'], '""C:\\tools\\twice.bat" "x""'],
  ['clever', ['x'], '""C:\\tools\\clever.cmd" "x""'],
  ['C:\\a & b (x86)\\s^e!r', ['x'], '""C:\\a & b (x86)\\s^e!r.bat" "x""'],
  ['C:\\tools\\100% sure\\go.bat', [], '""C:\\tools\\100%%cd:~,% sure\\go.bat""'],
  ['\\\\server\\share\\start', ['a'], '""\\\\server\\share\\start.cmd" "a""'],
]

const REFUSED: readonly (readonly [command: string, args: readonly string[], message: string])[] = [
  [...run('%PATH%'), 'several "%", between which batch files put values of variables'],
  [...run('50%', 'of 80%'), 'several "%"'],
  [...run('a\nb'), 'an argument holds a line break'],
  [...run('a\rb'), 'an argument holds a line break'],
  [...run('x'.repeat(8_200)), 'longer than the 8191 characters'],
  ['C:\\tools\\100% sure\\go.bat', ['100%'], 'several "%"'],
  ['only.ps1', [], 'is a script of PowerShell; start it with: powershell.exe -NoProfile -File only.ps1'],
  ['only', [], 'is a script of PowerShell'],
  ['C:\\tools\\only.ps1', [], 'is a script of PowerShell'],
  ['C:\\tools\\notes.txt', [], 'is no program that Windows can start'],
]

describe('a command on Windows', () => {
  it.each(PLAIN)('%s %j runs without a shell', (command, args, file, expected) => {
    const { file: planned, args: plannedArgs, options } = plan(command, args)
    expect({ file: planned, args: plannedArgs }).toEqual({ file, args: expected })
    expect(options?.windowsVerbatimArguments).toBeUndefined()
  })

  it.each(BATCH)('%s %j runs by cmd.exe, each argument intact', (command, args, expected) => {
    expect(plan(command, args)).toEqual({
      file: CMD,
      args: line(expected),
      options: { windowsVerbatimArguments: true },
      why: [],
    })
    // What a program behind it would be given.
    expect(argumentsOf(readByCmd(expected)).slice(1)).toEqual(args)
  })

  it.each(REFUSED)('%s %j is refused', (command, args, message) => {
    expect(() => plan(command, args)).toThrow(TypeError)
    expect(() => plan(command, args)).toThrow(message)
  })

  it('PATHEXT says in which order extensions are tried', () => {
    const env = { ...ENV, PATHEXT: '.CMD;.EXE' }
    expect(plan('both', [], { env })).toMatchObject({ file: CMD, args: line('""C:\\tools\\both.cmd""') })
    expect(plan('both', [], { env: { ...ENV, PATHEXT: '' } }).file).toBe(`${TOOLS}\\both.exe`)
  })

  it('a wrapper may set NODE_PATH', () => {
    expect(plan('with-path').options?.env).toEqual({ ...ENV, NODE_PATH: 'C:\\store' })
    const env = { ...ENV, NODE_PATH: 'D:\\mine' }
    expect(plan('with-path', [], { env }).options?.env?.NODE_PATH).toBe('C:\\store;D:\\mine')
  })

  it('an npm that was installed by npm is preferred, as its wrapper would', () => {
    const newer = 'C:\\Users\\me\\AppData\\Roaming\\npm\\node_modules\\npm\\bin\\npx-cli.js'
    const env = { ...ENV, APPDATA: 'C:\\Users\\me\\AppData\\Roaming' }
    const files = inventedFiles('win32', { ...FILES, [newer]: '' })
    expect(plan('npx', ['x'], { env, files }).args).toEqual([newer, 'x'])
  })

  it('is found where installers put programs, and its folder comes last in PATH', () => {
    const { file, options, why } = plan('hidden', ['x'])
    expect(file).toBe('C:\\Users\\me\\.local\\bin\\hidden.exe')
    expect(options?.env?.Path).toBe(`${NODEJS};${TOOLS};C:\\Users\\me\\.local\\bin`)
    expect(why).toEqual([
      'hidden is not in PATH; took C:\\Users\\me\\.local\\bin\\hidden.exe, where uv or pipx puts programs',
    ])
  })

  it.each([
    ['nvm', 'C:\\Users\\me\\AppData\\Local\\nvm\\v22.1.0'],
    ['fnm', 'C:\\Users\\me\\AppData\\Roaming\\fnm\\node-versions\\v22.1.0\\installation'],
    ['volta', 'C:\\Users\\me\\AppData\\Local\\Volta\\tools\\image\\node\\22.1.0'],
    ['mise', 'C:\\Users\\me\\AppData\\Local\\mise\\installs\\node\\22.1.0'],
  ])('without Node in PATH, npx is found where %s puts it', (from, folder) => {
    const env = {
      Path: 'C:\\Windows',
      USERPROFILE: 'C:\\Users\\me',
      APPDATA: 'C:\\Users\\me\\AppData\\Roaming',
      LOCALAPPDATA: 'C:\\Users\\me\\AppData\\Local',
    }
    const files = inventedFiles('win32', {
      [`${folder}\\node.exe`]: '',
      [`${folder}\\npx.cmd`]: npmsOwn('npx'),
    })
    expect(plan('npx', ['x'], { env, files })).toEqual({
      file: `${folder}\\node.exe`,
      args: [`${folder}\\node_modules\\npm\\bin\\npx-cli.js`, 'x'],
      options: { env: { ...env, Path: `${folder};C:\\Windows` } },
      why: [`node is not in PATH; took Node v22.1.0 of ${from} (${folder}), the newest of 1 found`],
    })
  })

  it('a folder of the network is no place for cmd.exe, which is told', () => {
    expect(plan('run.bat', [], { cwd: '\\\\server\\share' }).why).toEqual([
      'C:\\tools\\run.bat is a batch file, which starts in C:\\Windows rather than in \\\\server\\share: cmd.exe cannot work there',
    ])
  })
})

/** What cmd.exe makes of the text after `/s /c`: without the outer quotes, with percent signs looked up. */
function readByCmd(text: string): string {
  const inner = text.slice(1, -1)
  // The only variable whose name it can see is `cd`, cut to nothing.
  const expanded = inner.replace(/%cd:~,%/g, '')
  let quoted = false
  for (const character of expanded) {
    if (character === '"') quoted = !quoted
    else if (!quoted && /[&|<>^()%]/.test(character)) throw new Error(`${character} outside of quotes`)
  }
  return expanded
}

/** As the C runtime of Windows splits a line: `""` within quotes is a quote, backslashes count before quotes only. */
function argumentsOf(text: string): string[] {
  const found: string[] = []
  let current: string | undefined
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const [run = ''] = /^\\*/.exec(text.slice(index)) ?? []
    if (run !== '') {
      const before = text[index + run.length] === '"'
      current = (current ?? '') + (before ? run.slice(0, Math.floor(run.length / 2)) : run)
      index += run.length - 1
      if (before && run.length % 2 === 1) {
        current += '"'
        index++
      }
    } else if (text[index] === '"') {
      current ??= ''
      if (quoted && text[index + 1] === '"') {
        current += '"'
        index++
      } else quoted = !quoted
    } else if (text[index] === ' ' && !quoted) {
      if (current !== undefined) found.push(current)
      current = undefined
    } else current = (current ?? '') + text[index]
  }
  return current === undefined ? found : [...found, current]
}

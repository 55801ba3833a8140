/** From what was seen of a program to what is wrong with it. */

import { nearest } from '../../config/nearest.js'
import { TransportError } from '../../exchange/errors.js'
import { maskedArguments, nameOfCommand } from '../../node/process/spawn-error.js'
import { shellLine } from '../advice-report.js'
import { diagnoseAnswers } from './diagnose-answers.js'
import type { Finding } from './finding.js'
import type { ProgramFacts } from './probe-program.js'
import { fieldOf, placeOf, type Subject } from './subject.js'

/** The cause first; what follows from it is left out. */
export function diagnoseProgram(facts: ProgramFacts, subject: Subject): readonly Finding[] {
  const failure = facts.outcome.kind === 'failed' ? failureOf(facts, facts.outcome, subject) : undefined
  const node = nodeFinding(facts, subject, failure)
  const noise = noiseFinding(facts)
  const cause = node ?? failure ?? elsewhereFinding(facts, subject)
  return [...(cause === undefined ? [] : [cause]), ...(noise === undefined ? [] : [noise])]
}

type Failed = Extract<ProgramFacts['outcome'], { kind: 'failed' }>

function failureOf(facts: ProgramFacts, { error, during }: Failed, subject: Subject): Finding {
  if (error instanceof TransportError) {
    switch (error.code) {
      case 'ERR_SPAWN':
        return facts.found === undefined && error.facts.knob === undefined
          ? notFound(facts, error, subject)
          : notStarted(facts, error, subject)
      case 'ERR_EXITED':
        return ended(facts, error, subject)
      case 'ERR_CLOSED':
        return {
          code: 'DOCTOR_STDOUT_CLOSED',
          severity: 'error',
          what: 'It closed its stdout and ran on, without an answer',
          why: 'On stdio all messages of a server go to its stdout: without one it cannot be heard',
          fix: `Start the server itself, in the foreground: nothing in ${fieldOf(subject, 'args')} may send it to the background or redirect its output`,
          hop: nameOf(facts),
          stderr: facts.stderr,
        }
      case 'ERR_TIMEOUT':
        if (during === 'open') return silent(facts, error, subject)
    }
  }
  if (error instanceof TypeError)
    return {
      code: 'DOCTOR_CONFIG_FIELD',
      severity: 'error',
      what: sentence(error.message),
      why: 'Nothing can be started like that',
      fix: `Mend ${placeOf(subject) === undefined ? 'the command line' : `the entry in ${placeOf(subject)}`}`,
      hop: nameOf(facts),
    }
  return { ...diagnoseAnswers(facts.outcome as Failed, nameOf(facts)), stderr: facts.stderr }
}

/** anyport finds more than its clients do. */
function elsewhereFinding(facts: ProgramFacts, subject: Subject): Finding | undefined {
  const { inPath, launch, command } = facts
  if (inPath || launch === undefined) return undefined
  return {
    code: 'DOCTOR_COMMAND_NOT_FOUND',
    severity: 'warning',
    what: `The command "${command}" is not in PATH; anyport has found it elsewhere (${launch.file})`,
    why: 'Clients look for it in PATH only, and do not start it',
    fix: `Write "${launch.file}" into ${fieldOf(subject, 'command')}`,
    hop: nameOf(facts),
  }
}

/** What installs a command that people write most. */
const INSTALLERS: readonly (readonly [commands: RegExp, advice: string])[] = [
  [/^(node|npx|npm|corepack)$/, 'Install Node.js 20.19 or newer, which has it (https://nodejs.org)'],
  [/^(uvx?)$/, 'Install uv, which has it (https://docs.astral.sh/uv)'],
  [/^(bunx?)$/, 'Install Bun, which has it (https://bun.sh)'],
  [/^(pnpm|pnpx|yarn)$/, 'Run: corepack enable'],
  [/^(python[\d.]*|pipx?)$/, 'Install Python, which has it (https://www.python.org)'],
  [/^(docker)$/, 'Install Docker, or start it (https://docs.docker.com/get-docker)'],
  [/^(deno)$/, 'Install Deno (https://deno.com)'],
]
const KNOWN = [
  'node',
  'npx',
  'npm',
  'uv',
  'uvx',
  'python3',
  'python',
  'docker',
  'bunx',
  'bun',
  'deno',
  'pnpm',
]

function notFound(facts: ProgramFacts, error: TransportError, subject: Subject): Finding {
  const { command } = facts
  const isPath = /[\\/]/.test(command)
  const [, install] = INSTALLERS.find(([names]) => names.test(command)) ?? []
  const near = isPath || command.length < 3 ? undefined : nearest(command, KNOWN)
  const fix = isPath
    ? `Correct the path in ${fieldOf(subject, 'command')}`
    : (install ??
      (near === undefined
        ? `Install ${command}, or write its full path ("command -v ${command}" in a terminal shows it) into ${fieldOf(subject, 'command')}`
        : `Write "${near}" into ${fieldOf(subject, 'command')}`))
  return {
    code: 'DOCTOR_COMMAND_NOT_FOUND',
    severity: 'error',
    what: sentence(error.message),
    why: isPath
      ? 'Relative paths begin at the folder in which a program is started, which differs from client to client'
      : 'Applications that are started from a desktop do not have the PATH of your terminal; anyport has looked in its own PATH and where installers put programs',
    fix,
    hop: nameOf(facts),
  }
}

function notStarted(facts: ProgramFacts, error: TransportError, subject: Subject): Finding {
  const isFolder = error.facts.knob === '--cwd'
  return {
    code: 'DOCTOR_COMMAND_NOT_STARTED',
    severity: 'error',
    what: sentence(error.message),
    why: 'The system refuses to start it, so that it never says a word',
    fix: isFolder
      ? `Correct the working directory${placeOf(subject) === undefined ? ' (--cwd)' : `, "cwd" in ${placeOf(subject)}`}`
      : /not executable/.test(error.message)
        ? `Run: chmod +x ${facts.found ?? facts.command}`
        : `Correct ${fieldOf(subject, 'command')}, so that it names a program that runs here`,
    hop: nameOf(facts),
  }
}

/** Numbers of the signals that programs are ended by. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
}

function ended(facts: ProgramFacts, error: TransportError, subject: Subject): Finding {
  const { signal } = error.facts
  const number = signal === undefined ? undefined : SIGNALS[signal]
  const exitCode = error.facts.exitCode ?? (number === undefined ? undefined : 128 + number)
  const text = facts.stderr.join('\n')
  const common = {
    severity: 'error' as const,
    hop: nameOf(facts),
    stderr: facts.stderr,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
  }
  const how = signal === undefined ? `exited with code ${exitCode}` : `was ended by ${signal}`
  if (/heap out of memory|Cannot allocate memory|MemoryError|std::bad_alloc/i.test(text) && exitCode !== 0)
    return {
      ...common,
      code: 'DOCTOR_OUT_OF_MEMORY',
      what: `It ${how}: it ran out of memory`,
      why: 'It needs more memory than it may have',
      fix: `Let it have more: for Node, NODE_OPTIONS=--max-old-space-size=4096 in ${fieldOf(subject, 'env')}`,
    }
  if (exitCode === 137)
    return {
      ...common,
      code: 'DOCTOR_KILLED',
      what: `It ${how}${signal === undefined ? ', which stands for SIGKILL' : ''} before it answered`,
      why: 'No program ends itself so. Nearly always the system killed it for memory: of the machine, or of its container',
      fix: 'Give it more memory (docker run --memory, resources.limits.memory), or stop what else needs it; "dmesg | grep -i oom" says what was killed',
    }
  const last = tellingLine(facts.stderr)
  return {
    ...common,
    code: 'DOCTOR_EXITED',
    what: `It ${how} before it answered${last === undefined ? ', and wrote nothing to stderr' : `: ${last.trim().slice(0, 200)}`}`,
    why:
      exitCode === 0
        ? 'A server stays until its stdin ends: this one did its work, or said how it wants to be called, and was done'
        : 'Its own words on stderr say why',
    fix: fixOfEnd(facts, subject, text),
  }
}

/** The line that names the error, rather than the trace behind it; else the last one. */
function tellingLine(stderr: readonly string[]): string | undefined {
  const said = stderr.filter(line => /\S/.test(line) && !/^\s+at |^\s|^[{}\]]|^Node\.js v\d/.test(line))
  const named = said.findLast(line =>
    /^(?:\w+: )?(?:[\w.]*(?:Error|Exception)|error|fatal|panic)\b/i.test(line),
  )
  return named ?? said.at(-1) ?? stderr.findLast(line => line.trim() !== '')
}

/** What the last words of a program mostly mean. */
function fixOfEnd(facts: ProgramFacts, subject: Subject, text: string): string {
  const python = /ModuleNotFoundError: No module named '([\w.]+)'/.exec(text)
  if (python !== null)
    return `Install the module ${python[1]} for the Python that runs it, or start it with uvx`
  const module = /Cannot find (?:module|package) '([^'\n]+)'/.exec(text)
  if (module !== null) {
    const [, name = ''] = module
    return /^[./]|^[A-Za-z]:\\/.test(name)
      ? `There is no file ${name}: build the server, or correct the path in ${fieldOf(subject, 'args')}`
      : `Run "npm install" in the folder of the server: the package ${name} is missing`
  }
  if (/npm (?:ERR!|error) (?:code )?E404/.test(text))
    return `Correct the name of the package in ${fieldOf(subject, 'args')}: there is none of that name`
  if (/EADDRINUSE/.test(text)) return 'Stop what listens on its port already, or give it another port'
  const variable = MISSING_VARIABLE.map(pattern => pattern.exec(text)?.[1]).find(name => name !== undefined)
  if (variable !== undefined) return `Set ${variable} in ${fieldOf(subject, 'env')}`
  return `Run it in a terminal, where it says the same: ${commandLine(facts)}`
}

const MISSING_VARIABLE = [
  /\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b[^\n]{0,40}\b(?:is|was|are)? ?(?:not set|missing|required|undefined|not defined|not provided)/,
  /(?:missing|required|set|provide)[^\n]{0,60}\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b/i,
]

function silent(facts: ProgramFacts, error: TransportError, subject: Subject): Finding {
  const isNoisy = facts.noiseCount > 0
  return {
    code: 'DOCTOR_NO_ANSWER',
    severity: 'error',
    what: `It runs, and ${sentence(error.message).replace(/^.*? did not answer/, 'did not answer')}`,
    why: isNoisy
      ? 'It writes to stdout, but no MCP: it is another program, or a server that needs an option for stdio'
      : 'It is no MCP server on stdio, waits for something, or is slow to start: packages are downloaded at the first start',
    fix: `If it may only be slow at its first start: anyport doctor --timeout 60s ${placeOf(subject) === undefined ? `-- ${commandLine(facts)}` : `--server ${subject.name ?? ''} ${subject.file ?? ''}`}; otherwise add what makes it speak stdio (its help says so: often "stdio" or "--stdio") to ${fieldOf(subject, 'args')}`,
    hop: nameOf(facts),
    stderr: facts.stderr,
  }
}

function nodeFinding(
  { node, launch, outcome, stderr, ...facts }: ProgramFacts,
  subject: Subject,
  failure: Finding | undefined,
): Finding | undefined {
  if (node?.unmet === undefined) return undefined
  // What is not even started has another cause.
  if (failure !== undefined && !OF_OLD_NODE.has(failure.code)) return undefined
  const { range, source } = node.unmet
  const repaired = outcome.kind === 'healthy' && launch !== undefined && launch.why.length > 0
  return {
    code: 'DOCTOR_NODE_TOO_OLD',
    severity: outcome.kind === 'healthy' ? 'warning' : 'error',
    what: `The node that it gets is ${node.version} (${node.file}), and ${source} asks for ${range}${failure === undefined ? '' : `. It ${ending(failure)}`}`,
    why: repaired
      ? `anyport has started it with another one (${launch.why.join('; ')}); clients start it with this one`
      : `PATH has that one first. What is written for a newer one ends with an error there, or stays silent`,
    fix: newerNode(facts.command, node.better, subject),
    hop: nameOf(facts),
    exitCode: failure?.exitCode,
    signal: failure?.signal,
    ...(stderr.length === 0 ? {} : { stderr }),
  }
}

function newerNode(command: string, folder: string | undefined, subject: Subject): string {
  if (folder === undefined) return 'Install a newer one (https://nodejs.org), which comes first in PATH then'
  if (/^node(\.exe)?$/.test(command)) return `Write "${folder}/node" into ${fieldOf(subject, 'command')}`
  // The path of an npx alone changes nothing: it looks for its node in PATH.
  return `Write "PATH": "${folder}:/usr/local/bin:/usr/bin:/bin" into ${fieldOf(subject, 'env')}`
}

const OF_OLD_NODE = new Set<Finding['code']>([
  'DOCTOR_EXITED',
  'DOCTOR_NO_ANSWER',
  'DOCTOR_STDOUT_CLOSED',
  'DOCTOR_HANDSHAKE',
])

function ending({ exitCode, signal, code }: Finding): string {
  if (signal !== undefined) return `was ended by ${signal}`
  return code === 'DOCTOR_EXITED' ? `exited with code ${exitCode}` : 'does not answer'
}

function noiseFinding(facts: ProgramFacts): Finding | undefined {
  const { noise, noiseCount, outcome } = facts
  const [first] = noise
  if (first === undefined) return undefined
  const lines = noiseCount === 1 ? 'a line that is no message' : `${noiseCount} lines that are no messages`
  return {
    code: 'DOCTOR_STDOUT_NOISE',
    severity: outcome.kind === 'healthy' ? 'warning' : 'error',
    what: `It writes ${lines} to stdout: ${JSON.stringify(first.text.slice(0, 120))}`,
    why: 'On stdio nothing but messages may be there. anyport skips other lines; many clients end the session, or show an error',
    fix: `Let it write logs to stderr (console.error, print(..., file=sys.stderr)), or start it through anyport: anyport serve --stdio -- ${commandLine(facts)}`,
    hop: nameOf(facts),
  }
}

function nameOf({ command, args }: Pick<ProgramFacts, 'command' | 'args'>): string {
  return nameOfCommand(command, args)
}

/** For a shell, with secrets masked. */
function commandLine({ command, args }: ProgramFacts): string {
  return shellLine([command, ...maskedArguments(args)])
}

/** Without what names the server once more. */
function sentence(message: string): string {
  return message
    .replace(/^Cannot start .*?: (?=its |the |there |\/|[A-Z]:)/, '')
    .replace(/^[a-z]/, first => first.toUpperCase())
}

/** Structured log lines on stderr: for people, or as JSON. One line per record, whatever its values hold. */

import type { Writable } from 'node:stream'
import { printable } from '../exchange/printable.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFormat = 'text' | 'json'
export type LogFields = Readonly<Record<string, unknown>>

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** `event` is a stable name for programs; `message` is for people. */
type Write = (event: string, message: string, fields?: LogFields) => void

export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
  /** True where a record of this level is written; spares the making of expensive ones. */
  enabled(level: LogLevel): boolean
  /** Resolves when what was logged is written, or after a second. */
  flush(): Promise<void>
}

export interface LogOptions {
  /** Default `info`. */
  readonly level?: LogLevel
  /** Default `text`. */
  readonly format?: LogFormat
  /** Default stderr. */
  readonly output?: Writable & { readonly isTTY?: boolean }
  /** Default: on a terminal, unless NO_COLOR is set. */
  readonly colors?: boolean
}

/**
 * Records beyond this many unread bytes are counted and dropped: a stuck reader of stderr must not stop us. What a talkative
 * server says leaves room for what is more important.
 */
const MAX_BUFFERED = 1024 * 1024
const MAX_BUFFERED_IMPORTANT = 2 * MAX_BUFFERED
const FLUSH_LIMIT = 1_000

/** The same log, with fields that every record has. */
export function withFields(log: Log, own: LogFields): Log {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error'): Write =>
    (event, message, fields) =>
      log[level](event, message, { ...own, ...fields })
  return { ...log, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', format = 'text', output = process.stderr } = options
  const colors = options.colors ?? useColors(output)
  const threshold = LOG_LEVELS.indexOf(level)
  const enabled = (wanted: LogLevel) => LOG_LEVELS.indexOf(wanted) >= threshold && threshold < 4
  const render = format === 'json' ? renderJson : renderText(colors)
  let dropped = 0
  // Whoever reads our stderr may leave; that is no reason to stop.
  output.on('error', () => {})

  const writer =
    (own: LogLevel): Write =>
    (event, message, fields) => {
      if (!enabled(own)) return
      const important = own === 'warn' || own === 'error'
      if (output.writableLength > (important ? MAX_BUFFERED_IMPORTANT : MAX_BUFFERED)) {
        dropped++
        return
      }
      if (dropped > 0) {
        const count = dropped
        dropped = 0
        output.write(
          render('warn', 'log_dropped', `${count} log records were dropped: stderr is not read`, { count }),
        )
      }
      output.write(render(own, event, message, fields))
    }

  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    enabled,
    flush: () => written(output),
  }
}

/** Colours belong on terminals only, and not where NO_COLOR asks for none (no-color.org). */
export function useColors(output: { readonly isTTY?: boolean }): boolean {
  return output.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}

type Render = (level: LogLevel, event: string, message: string, fields?: LogFields) => string

const renderJson: Render = (level, event, message, fields) =>
  // JSON escapes the C0 controls; the others would still reach a terminal.
  `${printable(JSON.stringify({ time: new Date().toISOString(), level, event, message, ...fields }, jsonValue))}\n`

const COLORS: Readonly<Record<string, string>> = { debug: '2', info: '36', warn: '33', error: '31' }

function renderText(colors: boolean): Render {
  const paint = (code: string, text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text)
  return (level, _event, message, fields = {}) => {
    const time = new Date().toTimeString().slice(0, 8)
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${paint('2', `${printable(key)}=`)}${textValue(value)}`)
    return `${paint('2', time)} ${paint(COLORS[level] ?? '0', level.padEnd(5))} ${printable(message)}${rest.join('')}\n`
  }
}

function textValue(value: unknown): string {
  if (typeof value === 'string')
    return /^[^\s"=]+$/.test(value) ? printable(value) : printable(JSON.stringify(value))
  if (value instanceof Error) return textValue(value.message)
  return printable(JSON.stringify(value, jsonValue) ?? String(value))
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) return { name: value.name, message: value.message }
  return value
}

function written(output: Writable): Promise<void> {
  if (output.writableLength === 0 || output.destroyed) return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(resolve, FLUSH_LIMIT)
    output.write('', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

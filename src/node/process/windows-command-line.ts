/** Batch files are run by cmd.exe, which parses its line anew: what it could misread is refused, not guessed. */

/** The longest line that cmd.exe takes. */
const MAX_LINE = 8191

/**
 * The arguments for cmd.exe, to be passed verbatim: it runs the batch file with exactly these arguments. Throws
 * `TypeError` for arguments that no quoting carries through a batch file.
 */
export function batchArguments(file: string, args: readonly string[]): readonly string[] {
  for (const argument of [file, ...args]) {
    if (/[\r\n\0]/.test(argument)) {
      throw refusal(file, 'an argument holds a line break, which ends the line of cmd.exe')
    }
  }
  // Two of them may enclose the name of a variable, also across arguments.
  const percents = [file, ...args].join('').split('%').length - 1
  if (percents > 1) {
    throw refusal(file, 'its arguments hold several "%", between which batch files put values of variables')
  }
  const line = [file, ...args].map(quoted).join(' ')
  const all = ['/d', '/e:on', '/v:off', '/s', '/c', `"${line}"`]
  if (all.join(' ').length > MAX_LINE) {
    throw refusal(file, `its arguments are longer than the ${MAX_LINE} characters that cmd.exe takes`)
  }
  return all
}

/**
 * Always in quotes, within which `& | < > ^ ( )` mean nothing. A quote is doubled, so that cmd.exe sees no end of the
 * quotes, however often it parses the line; backslashes before a quote are doubled for the program at the end.
 */
function quoted(argument: string): string {
  const escaped = argument
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/\\+$/, '$&$&')
    // On the line of cmd.exe a percent sign has no escape; a cut of length nothing behind it breaks the pair.
    .replaceAll('%', '%%cd:~,%')
  return `"${escaped}"`
}

function refusal(file: string, why: string): TypeError {
  return new TypeError(
    `${file} is a batch file, and ${why}; start the program behind it instead, or pass the value as a variable (--env)`,
  )
}

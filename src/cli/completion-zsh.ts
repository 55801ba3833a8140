/** What zsh is told. */

import type { CompletedCommand, CompletedOption, Following } from './completed-commands.js'

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef anyport
# Completion of anyport for zsh. In ~/.zshrc, after compinit: source <(anyport completion zsh)

_anyport() {
  # Not "commands", which zsh has already.
  local -a names
  local behind=\${words[(i)--]} command
  # What stands behind -- is another command.
  if (( behind < CURRENT )); then
    shift $behind words
    (( CURRENT -= behind ))
    if (( CURRENT == 1 )); then _command_names -e; else _normal; fi
    return
  fi
  names=(
${[...commands.map(({ name, summary }) => `${name}:${summary}`), 'help:Explain a command', 'version:Print the version'].map(line => `    ${quoted(line)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command names
    return
  fi
  command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join('\n')}
    help)
      _describe -t commands command names ;;
  esac
}

if [[ $funcstack[1] == _anyport ]]; then
  _anyport "$@"
else
  compdef _anyport anyport
fi
`
}

function commandCase({ name, options, actions, takesFiles }: CompletedCommand): string {
  const others = [
    ...(actions.length === 0 ? [] : [`1:action:(${actions.join(' ')})`]),
    ...(takesFiles ? ['*:file:_files'] : []),
  ]
  const lines = [...options.map(optionLine), ...others].map(line => `        ${quoted(line)}`)
  return `    ${name})\n      _arguments -S \\\n${lines.join(' \\\n')} ;;`
}

function optionLine({ name, description, metavar, isRepeatable, value }: CompletedOption): string {
  const head = `${isRepeatable ? '*' : ''}--${name}`
  const text = `[${description.replace(/[\\[\]:]/g, '\\$&')}]`
  if (value === undefined) return `${head}${text}`
  return `${head}=${text}:${metavar.replace(/[\\:]/g, '\\$&')}:${actionFor(value)}`
}

function actionFor(value: Following): string {
  switch (value.kind) {
    case 'words':
      return `(${value.words.join(' ')})`
    case 'files':
      return '_files'
    case 'folders':
      return '_files -/'
    case 'anything':
      return ' '
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** What bash is told. It uses nothing that bash 3.2 (macOS) lacks, and no package of completions. */

import type { CompletedCommand, Following } from './completed-commands.js'

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name)
  const withActions = commands.filter(({ actions }) => actions.length > 0)
  const withFiles = commands.filter(({ takesFiles }) => takesFiles)
  return `# Completion of anyport for bash. In ~/.bashrc: eval "$(anyport completion bash)"

_anyport_words() {
  local word
  for word in $1; do
    [[ $word == "$current"* ]] && COMPREPLY+=("$word")
  done
}

_anyport_paths() {
  local path
  [[ $1 == -c ]] || compopt -o filenames 2>/dev/null
  while IFS= read -r path; do
    COMPREPLY+=("$path")
  done < <(compgen "$1" -- "$current")
}

_anyport() {
  local IFS=$' \\t\\n' current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} index
  local command=\${COMP_WORDS[1]} options=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _anyport_words ${quoted([...names, 'help', 'version', '--help', '--version'].join(' '))}
    return
  fi
  # What stands behind -- is another command.
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -- ]] || continue
    if ((index + 1 == COMP_CWORD)); then _anyport_paths -c; else _anyport_paths -f; fi
    return
  done
  # Bash takes --name=value for three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case "$command $previous" in
${valueCases(commands).join('\n')}
  esac
  case $command in
${commands.map(({ name, options }) => `    ${name}) options=${quoted(options.map(option => `--${option.name}`).join(' '))} ;;`).join('\n')}
    help) ((COMP_CWORD == 2)) && _anyport_words ${quoted(names.join(' '))}; return ;;
  esac
  if [[ $current == -* ]]; then
    _anyport_words "$options --"
    return
  fi
  if ((COMP_CWORD == 2)); then
    case $command in
${withActions.map(({ name, actions }) => `      ${name}) _anyport_words ${quoted(actions.join(' '))}; return ;;`).join('\n')}
    esac
  fi
  case $command in
    ${withFiles.map(({ name }) => name).join(' | ')}) _anyport_paths -f ;;
  esac
}

complete -F _anyport anyport
`
}

/** Options of which the same may follow together, whichever commands have them. */
function valueCases(commands: readonly CompletedCommand[]): readonly string[] {
  const patterns = new Map<string, string[]>()
  const names = new Set(commands.flatMap(({ options }) => options.map(({ name }) => name)))
  for (const name of names) {
    const owners = commands.flatMap(command => {
      const value = command.options.find(option => option.name === name)?.value
      return value === undefined ? [] : [{ command: command.name, action: actionFor(value) }]
    })
    const actions = new Set(owners.map(({ action }) => action))
    // A flag of one command may have a value in another.
    const isFlag = commands.some(({ options }) =>
      options.some(option => option.name === name && option.value === undefined),
    )
    for (const { command, action } of owners) {
      const pattern = actions.size === 1 && !isFlag ? `*' --${name}'` : `'${command} --${name}'`
      const same = patterns.get(action) ?? []
      if (!same.includes(pattern)) same.push(pattern)
      patterns.set(action, same)
    }
  }
  return [...patterns].map(([action, same]) => `    ${same.join(' | ')}) ${action}return ;;`)
}

function actionFor(value: Following): string {
  switch (value.kind) {
    case 'words':
      return `_anyport_words ${quoted(value.words.join(' '))}; `
    case 'files':
      return '_anyport_paths -f; '
    case 'folders':
      return '_anyport_paths -d; '
    case 'anything':
      return ''
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

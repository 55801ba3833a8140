/** What fish is told. */

import type { CompletedCommand, CompletedOption } from './completed-commands.js'

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const first = [
    ...commands.map(({ name, summary }) => [name, summary] as const),
    ['help', 'Explain a command'] as const,
    ['version', 'Print the version'] as const,
  ]
  const names = commands.map(({ name }) => name).join(' ')
  return `# Completion of anyport for fish: anyport completion fish > ~/.config/fish/completions/anyport.fish

function __anyport_first
    test (count (commandline -opc)) -eq 1
end

function __anyport_in
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $argv[1]; and not contains -- -- $words
end

function __anyport_action
    __anyport_in $argv[1]; and test (count (commandline -opc)) -eq 2
end

function __anyport_behind
    contains -- -- (commandline -opc)
end

# What stands behind -- is another command.
function __anyport_command
    set -l words (commandline -opc)
    set -l from (math (contains -i -- -- $words) + 1)
    set -l line (commandline -ct)
    if test $from -le (count $words)
        set line (string join ' ' -- (string escape -- $words[$from..-1]) "$line")
    end
    complete -C "$line"
end

complete -c anyport -f
complete -c anyport -n __anyport_behind -a '(__anyport_command)'
${first.map(([name, summary]) => `complete -c anyport -n __anyport_first -a ${name} -d ${quoted(summary)}`).join('\n')}
complete -c anyport -n '__anyport_action help' -a ${quoted(names)}
${commands.map(commandLines).join('\n')}
`
}

function commandLines({ name, actions, takesFiles, options }: CompletedCommand): string {
  const isAfter = actions.length === 0 ? '' : `; and not __anyport_action ${name}`
  return [
    ...(actions.length === 0
      ? []
      : [`complete -c anyport -n '__anyport_action ${name}' -a ${quoted(actions.join(' '))}`]),
    ...(takesFiles ? [`complete -c anyport -n '__anyport_in ${name}${isAfter}' -F`] : []),
    ...options.map(option => optionLine(name, option)),
  ].join('\n')
}

function optionLine(command: string, { name, description, value }: CompletedOption): string {
  const head = `complete -c anyport -n '__anyport_in ${command}' -l ${name}`
  const tail = `-d ${quoted(description)}`
  switch (value?.kind) {
    case undefined:
      return `${head} ${tail}`
    case 'words':
      return `${head} -x -a ${quoted(value.words.join(' '))} ${tail}`
    case 'files':
      return `${head} -r -F ${tail}`
    case 'folders':
      return `${head} -x -a '(__fish_complete_directories (commandline -ct))' ${tail}`
    case 'anything':
      return `${head} -x ${tail}`
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

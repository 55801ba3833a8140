/** What `anyport completion` takes. */

import type { CommandSpec } from './help.js'

export const SHELLS = ['bash', 'zsh', 'fish'] as const

export const COMPLETION: CommandSpec = {
  usage: SHELLS.map(shell => `anyport completion ${shell}`),
  summary: 'Prints what makes a shell complete the commands, options and values of anyport.',
  examples: [
    ['bash, in ~/.bashrc', 'eval "$(anyport completion bash)"'],
    ['zsh, in ~/.zshrc after compinit', 'source <(anyport completion zsh)'],
    ['fish', 'anyport completion fish > ~/.config/fish/completions/anyport.fish'],
  ],
  notes: [
    'It is made from the options of this version: after an update it is due again, where it was saved.',
  ],
  options: {},
}

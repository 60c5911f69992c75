import { Argument } from 'commander'
import type { ConfigureCommand } from '../command.ts'
import { scripts, type Shell, shells } from '../completion/scripts.ts'

export const configureCompletion: ConfigureCommand = (command, { terminal }) => {
  command
    .addArgument(new Argument('<shell>', 'the shell that runs the script').choices(shells))
    .addHelpText(
      'after',
      `
To have it in every shell:
  source <(sluice completion bash)      in ~/.bashrc
  source <(sluice completion zsh)       in ~/.zshrc, behind compinit
  sluice completion fish | source       in ~/.config/fish/config.fish`,
    )
    .action((shell: Shell) => terminal.raw(scripts[shell]))
}

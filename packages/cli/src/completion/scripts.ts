/** Completion scripts by shell. Each asks `sluice __complete` for what fits, so it needs no change for new commands. */
export const scripts = {
  bash: `# sluice: completion for bash. In ~/.bashrc: source <(sluice completion bash)
_sluice() {
  local found
  COMPREPLY=()
  # The line itself: bash cuts words at : and =, which are parts of addresses and settings.
  while IFS= read -r found; do
    COMPREPLY+=("\${found%%$'\\t'*}")
  done < <(sluice __complete --line "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o default -F _sluice sluice
`,
  zsh: `#compdef sluice
# sluice: completion for zsh. In ~/.zshrc, behind compinit: source <(sluice completion zsh)
_sluice() {
  local line
  local -a found
  for line in "\${(@f)$(sluice __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( $#found )); then
    _describe sluice found
  else
    _files
  fi
}
if [[ $funcstack[1] == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`,
  fish: `# sluice: completion for fish. In ~/.config/fish/config.fish: sluice completion fish | source
function __sluice_complete
  set -l words (commandline -opc) (commandline -ct)
  sluice __complete $words[2..-1] 2>/dev/null
end
complete -c sluice -f -a '(__sluice_complete)'
complete -c sluice -l file -r -F
`,
} as const

export type Shell = keyof typeof scripts
export const shells = Object.keys(scripts) as readonly Shell[]

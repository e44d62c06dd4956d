/**
 * What makes a shell complete the client's command line. The scripts know nothing of the commands: they ask the program
 * itself, so that they need not be made anew when it changes. Where it has nothing to say, files are offered; options are
 * offered to whoever has begun to type one.
 */

/** The shells that there is a script for. */
export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

/** Tells in which form the answers are wanted, as it takes the word of SHELL for the shell that asks. */
const ask = (shell: Shell): string => `SHELL=${shell} peerstore-client --get-yargs-completions`;

const scripts: Readonly<Record<Shell, string>> = {
  bash: `# In ~/.bashrc: source <(peerstore-client completion bash)
_peerstore_client() {
  local current=\${COMP_WORDS[COMP_CWORD]} answer
  COMPREPLY=()
  while IFS= read -r answer; do
    [[ $answer == -* && $current != -* ]] && continue
    [[ $answer == "$current"* ]] && COMPREPLY+=("$answer")
  done < <(${ask('bash')} "\${COMP_WORDS[@]:0:COMP_CWORD+1}" 2>/dev/null)
}
complete -o bashdefault -o default -F _peerstore_client peerstore-client
`,
  zsh: `#compdef peerstore-client
# In ~/.zshrc, after compinit: source <(peerstore-client completion zsh)
_peerstore_client() {
  local -a answers
  answers=("\${(@f)$(${ask('zsh')} "\${(@)words[1,CURRENT]}" 2>/dev/null)}")
  [[ $words[CURRENT] == -* ]] || answers=("\${(@)answers:#-*}")
  answers=("\${(@)answers:#}")
  if (( \${#answers} )); then
    _describe 'peerstore-client' answers
  else
    _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _peerstore_client "$@"
else
  compdef _peerstore_client peerstore-client
fi
`,
  fish: `# In ~/.config/fish/config.fish: peerstore-client completion fish | source
function __peerstore_client
  set -l current (commandline -ct)
  for answer in (${ask('fish')} (commandline -opc) "$current" 2>/dev/null)
    string match -q -- '-*' "$answer"; and not string match -q -- '-*' "$current"; and continue
    string length -q -- "$answer"; and echo $answer
  end
end
complete -c peerstore-client -a '(__peerstore_client)'
`,
};

/** The script that a shell is to read. */
export function completionScript(shell: Shell): string {
  return scripts[shell];
}

# bash completion of helpdesk-listen: the program itself says what fits.
_helpdesk_listen() {
  local IFS=$'\n'
  COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _HELPDESK_LISTEN_COMPLETE=complete_bash "$1"))
}
complete -o default -F _helpdesk_listen helpdesk-listen

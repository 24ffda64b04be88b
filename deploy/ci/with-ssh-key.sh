#!/bin/sh
# Runs a command whose git may use an SSH key: with-ssh-key.sh COMMAND…
#   SSH_KEY       the private key itself
#   KNOWN_HOSTS   lines of a known_hosts file; a host that is not in them is refused
# The key lives in a folder of this run alone, which is gone when the command ends, whatever way it ends.
set -eu
: "${SSH_KEY:?the private key is missing}"
: "${KNOWN_HOSTS:?the lines of known_hosts are missing: a host key must be pinned (ssh-keyscan HOST, compared by hand)}"

umask 077
keys=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-key.XXXXXX")
child=''
clean_up() {
  if [ -n "$child" ]; then kill "$child" 2>/dev/null || true; fi
  rm -rf "$keys"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A key that was pasted into a form often lacks its last line end, and ssh then refuses it.
printf '%s\n' "$SSH_KEY" >"$keys/key"
printf '%s\n' "$KNOWN_HOSTS" >"$keys/known_hosts"
unset SSH_KEY KNOWN_HOSTS
export GIT_SSH_COMMAND="ssh -F none -i $keys/key -o IdentitiesOnly=yes -o BatchMode=yes \
-o StrictHostKeyChecking=yes -o UserKnownHostsFile=$keys/known_hosts -o GlobalKnownHostsFile=none"

# In the background, because a shell that waits for a foreground command hears signals only after it.
"$@" &
child=$!
status=0
wait "$child" || status=$?
child=''
exit "$status"

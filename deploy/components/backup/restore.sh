#!/bin/sh
# Makes the data folder of a Valkey out of a snapshot: restore.sh SNAPSHOT.rdb EMPTY-FOLDER
# A server that keeps an append-only file reads that and nothing else, so a snapshot laid beside it is passed over in silence. This starts one
# without the file, lets it read the snapshot, and turns the file on, which writes everything into it.
set -eu
snapshot=$1 data=$2
if [ -n "$(ls -A "$data" 2>/dev/null | grep -v '^lost+found$')" ]; then
  echo "restore: $data is not empty; move away what is in it first" >&2
  exit 2
fi
server=$(command -v valkey-server || command -v redis-server)
cli=$(command -v valkey-cli || command -v redis-cli)
socket=$(mktemp -d)/restore.sock
run() { "$cli" -s "$socket" "$@"; }
fact() { run info persistence | tr -d '\r' | sed -n "s/^$1://p"; }

cp "$snapshot" "$data/dump.rdb"
"$server" --port 0 --unixsocket "$socket" --dir "$data" --dbfilename dump.rdb --appendonly no --save '' >/dev/null &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -rf "${socket%/*}"' EXIT
until run ping 2>/dev/null | grep -q PONG; do
  kill -0 "$pid" || { echo 'restore: the server did not take the snapshot' >&2; exit 1; }
  sleep 0.1
done
keys=$(run dbsize)
run config set appendonly yes >/dev/null
until [ "$(fact aof_enabled)$(fact aof_rewrite_in_progress)$(fact aof_rewrite_scheduled)" = 100 ]; do sleep 0.1; done
[ "$(fact aof_last_bgrewrite_status)" = ok ] || { echo 'restore: the append-only file could not be written' >&2; exit 1; }
run shutdown nosave 2>/dev/null || true
wait "$pid" || true
rm -f "$data/dump.rdb"
echo "restore: $keys keys"

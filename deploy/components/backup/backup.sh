#!/bin/sh
# A snapshot of Valkey and an archive of the brain, in $BACKUP_DIR; what is older than $KEEP_DAYS goes. Whoever fails leaves no half file
# under a final name, and old backups stay. REDISCLI_AUTH is the password of the user "backup".
set -eu
: "${BACKUP_DIR:=/backup}" "${BRAIN_DIR:=/data}" "${KEEP_DAYS:=14}" "${REDIS_HOST:=valkey}" "${REDIS_PORT:=6379}"
cli=$(command -v valkey-cli || command -v redis-cli)
now=$(date -u +%Y-%m-%dT%H%M%SZ)
trap 'rm -f "$BACKUP_DIR"/*.part' EXIT

"$cli" -h "$REDIS_HOST" -p "$REDIS_PORT" --user backup --no-auth-warning --rdb "$BACKUP_DIR/valkey.part" >/dev/null
head -c 9 "$BACKUP_DIR/valkey.part" | grep -qE '^(REDIS|VALKEY)' || { echo 'backup: that is no snapshot' >&2; exit 1; }
mv "$BACKUP_DIR/valkey.part" "$BACKUP_DIR/valkey-$now.rdb"

tar -czf "$BACKUP_DIR/brain.part" -C "$BRAIN_DIR" .
mv "$BACKUP_DIR/brain.part" "$BACKUP_DIR/brain-$now.tgz"

find "$BACKUP_DIR" -name 'valkey-*.rdb' -mtime "+$KEEP_DAYS" -delete
find "$BACKUP_DIR" -name 'brain-*.tgz' -mtime "+$KEEP_DAYS" -delete
echo "backup: $now"

#!/bin/sh
# Keeps the images of the newest commits in the registry and deletes older ones: prune-tags.sh REPOSITORY
#   KEEP           how many, 20 by default
#   KEEP_DIGESTS   digests to keep whatever their age, such as the one that is deployed; blanks between them
# The order is that of the commits in this clone (tags are sha-<commit>); other tags are left alone. A registry deletes an image with all
# its tags: what a tag that stays leads to is therefore kept.
# Registry variables as for push-image.sh.
set -eu
repository=$1
: "${KEEP:=20}"
: "${REGISTRY_TLS:=true}"

work=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-prune.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
. "$(dirname "$0")/registry-login.sh"

if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  echo 'prune: this clone is shallow and does not know the order of the commits; check out with fetch-depth: 0' >&2
  exit 1
fi
digest_of() { skopeo inspect --no-tags --tls-verify="$REGISTRY_TLS" --format '{{.Digest}}' "docker://$repository:$1"; }

# One tag per line; no jq, which not every runner has.
skopeo list-tags --tls-verify="$REGISTRY_TLS" "docker://$repository" | tr ',' '\n' |
  sed -n 's/.*"\([A-Za-z0-9_.-]*\)"[] ]*$/\1/p' >"$work/tags"
git rev-list HEAD | sed 's/^/sha-/' | grep -Fxf "$work/tags" >"$work/ours" || true
head -n "$KEEP" "$work/ours" >"$work/kept"
tail -n +"$((KEEP + 1))" "$work/ours" >"$work/old"
if [ ! -s "$work/old" ]; then exit 0; fi

for digest in ${KEEP_DIGESTS:-}; do echo "$digest"; done >"$work/kept-digests"
# What belongs to an image (sha256-….sbom) goes with it.
grep -Fvxf "$work/ours" "$work/tags" | grep -v '^sha256-' >>"$work/kept" || true
while read -r tag; do digest_of "$tag"; done <"$work/kept" >>"$work/kept-digests"
while read -r tag; do
  digest=$(digest_of "$tag") || continue
  if grep -Fqx "$digest" "$work/kept-digests"; then continue; fi
  for extra in sbom sig att; do
    companion="sha256-${digest#sha256:}.$extra"
    if grep -Fqx "$companion" "$work/tags"; then
      skopeo delete --tls-verify="$REGISTRY_TLS" "docker://$repository:$companion"
    fi
  done
  skopeo delete --tls-verify="$REGISTRY_TLS" "docker://$repository:$tag"
  echo "prune: deleted $repository:$tag"
done <"$work/old"

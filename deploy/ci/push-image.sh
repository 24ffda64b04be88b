#!/bin/sh
# Pushes an OCI archive with all that is in it (the image, its provenance), unchanged, and prints the digest:
#   push-image.sh ARCHIVE REPOSITORY TAG      push-image.sh out/api.tar registry.example.org/acme/hyperguild-api sha-0123abc
#   REGISTRY_USER, REGISTRY_TOKEN   when the registry wants them
#   REGISTRY_TLS                    false for a registry without TLS
set -eu
archive=$1 repository=$2 tag=$3

work=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-push.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
. "$(dirname "$0")/registry-login.sh"

# Without --all the provenance would be dropped, and the digest would be another one than what was built.
skopeo copy -q --all --preserve-digests --retry-times 3 --dest-tls-verify="$REGISTRY_TLS" \
  --digestfile "$work/digest" "oci-archive:$archive" "docker://$repository:$tag" >&2
cat "$work/digest"

#!/bin/sh
# Signs an image by digest with cosign: sign-image.sh REPOSITORY DIGEST
#   COSIGN_PRIVATE_KEY, COSIGN_PASSWORD   the key; without one the image stays unsigned, and that is said
# For a registry of one's own there is no public log of signatures to write to.
set -eu
repository=$1 digest=$2
if [ -z "${COSIGN_PRIVATE_KEY:-}" ]; then
  echo "sign: COSIGN_PRIVATE_KEY is not set, $repository stays unsigned"
  exit 0
fi
command -v cosign >/dev/null || { echo 'sign: there is a key but no cosign on this runner' >&2; exit 1; }
cosign sign --yes --tlog-upload=false --key env://COSIGN_PRIVATE_KEY "$repository@$digest"

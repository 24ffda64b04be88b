#!/bin/sh
# Builds both images, pushes them, and puts a list of packages and a signature beside them: publish-images.sh
#   REGISTRY   where they go, such as registry.example.org/acme
#   REVISION   the commit they are built from; by default the one that is checked out
# Prints api=DIGEST and worker=DIGEST, and hands them to later jobs where GITHUB_OUTPUT names a file.
# Variables of build-image.sh, push-image.sh and sign-image.sh as well.
set -eu
: "${REGISTRY:?where the images go is missing}"
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
export REVISION="${REVISION:-$(git rev-parse HEAD)}"

out=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-images.XXXXXX")
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for name in api worker; do
  repository=$REGISTRY/hyperguild-$name
  sh "$here/build-image.sh" "$name" "$out" >&2
  sh "$here/make-sbom.sh" "$name" "$out/$name.cdx.json" >&2
  digest=$(sh "$here/push-image.sh" "$out/$name.tar" "$repository" "sha-$REVISION")
  sh "$here/attach-sbom.sh" "$out/$name.cdx.json" "$repository" "$digest" >&2
  sh "$here/sign-image.sh" "$repository" "$digest" >&2
  echo "$name=$digest" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
done

#!/bin/sh
# Prunes both image repositories: prune-images.sh
#   REGISTRY   as for publish-images.sh; the variables of prune-tags.sh as well
set -eu
: "${REGISTRY:?where the images are is missing}"
for name in api worker; do
  sh "$(dirname "$0")/prune-tags.sh" "$REGISTRY/hyperguild-$name"
done

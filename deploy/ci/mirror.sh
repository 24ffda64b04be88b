#!/bin/sh
# Pushes the checked out branch, and the annotated tags that it leads to, to a second home: mirror.sh
#   MIRROR_REPO     such as git@github.com:acme/hyperguild.git; nothing happens when it is empty
#   MIRROR_BRANCH   main by default
set -eu
: "${MIRROR_BRANCH:=main}"
if [ -z "${MIRROR_REPO:-}" ]; then
  echo 'mirror: MIRROR_REPO is not set, nothing to do'
  exit 0
fi
if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  echo 'mirror: this clone is shallow; check out with fetch-depth: 0' >&2
  exit 1
fi
git push -q --follow-tags "$MIRROR_REPO" "HEAD:refs/heads/$MIRROR_BRANCH"

#!/bin/sh
# Installs with apt what building, running and publishing images for a test needs; says nothing when all is there.
set -eu
missing=''
for pair in buildah:buildah skopeo:skopeo debootstrap:debootstrap runc:runc docker-registry:docker-registry jq:jq; do
  if ! command -v "${pair%%:*}" >/dev/null 2>&1; then missing="$missing ${pair#*:}"; fi
done
if [ "$(id -u)" != 0 ]; then
  echo 'test:images: debootstrap and runc need root here; run it as root or in a virtual machine' >&2
  exit 1
fi
if [ -z "$missing" ]; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "test:images: install these first:$missing" >&2
  exit 1
fi
echo "test:images: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Services are not started: what is needed of them is started by the tests.
{
  apt-get -q update
  # shellcheck disable=SC2086 # one word per package
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends $missing
} >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
if [ -d /run/systemd/system ]; then systemctl disable -q --now docker-registry 2>/dev/null || true; fi

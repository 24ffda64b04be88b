#!/bin/sh
# Builds Dockerfile.NAME into OUT/NAME.tar, an OCI archive: build-image.sh NAME OUT
#   BUILDER        buildctl (the default: BuildKit at BUILDKIT_HOST, with provenance) or buildah
#   BASE           the image to build on, instead of the one that the Dockerfile names
#   APT_PACKAGES   more Debian packages for the worker
#   CA_FILE        certificates to trust while packages are downloaded; by default what Node is told to trust here
#   REVISION, VERSION, SOURCE   labels; by default of the checked out commit
set -eu
name=$1
out=$2
cd "$(dirname "$0")/../.."
mkdir -p "$out"

: "${BUILDER:=buildctl}"
: "${REVISION:=$(git rev-parse HEAD)}"
: "${VERSION:=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' package.json)}"
: "${SOURCE:=$(git config --get remote.origin.url | sed 's#//[^/@]*@#//#' || true)}"
# The same commit gives the same time stamps.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

: "${CA_FILE:=${NODE_EXTRA_CA_CERTS:-}}"

set --
for argument in REVISION VERSION SOURCE BASE APT_PACKAGES; do
  eval "value=\${$argument:-}"
  if [ -z "$value" ]; then continue; fi
  case $BUILDER in
    buildctl) set -- "$@" --opt "build-arg:$argument=$value" ;;
    *) set -- "$@" --build-arg "$argument=$value" ;;
  esac
done
if [ -n "$CA_FILE" ]; then set -- "$@" --secret "id=ca,src=$CA_FILE"; fi

case $BUILDER in
  buildctl)
    buildctl build --progress=plain --frontend dockerfile.v0 \
      --local context=. --local dockerfile=. --opt "filename=Dockerfile.$name" \
      --opt attest:provenance=mode=max --opt "build-arg:SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
      --output "type=oci,dest=$out/$name.tar" --metadata-file "$out/$name.json" "$@"
    ;;
  buildah)
    buildah build --isolation "${BUILDAH_ISOLATION:-chroot}" --layers \
      --format oci --timestamp "$SOURCE_DATE_EPOCH" --file "Dockerfile.$name" --iidfile "$out/$name.id" "$@" .
    rm -f "$out/$name.tar"
    buildah push -q "$(cat "$out/$name.id")" "oci-archive:$out/$name.tar"
    ;;
  *)
    echo "BUILDER: $BUILDER is neither buildctl nor buildah" >&2
    exit 2
    ;;
esac

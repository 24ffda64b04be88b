#!/bin/sh
# Puts a CycloneDX file beside an image in the registry, under the tag where cosign looks for it (cosign download sbom IMAGE):
#   attach-sbom.sh FILE REPOSITORY DIGEST
# Registry variables as for push-image.sh.
set -eu
file=$1 repository=$2 digest=$3

work=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-attach.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

blobs=$work/layout/blobs/sha256
mkdir -p "$blobs"
# Puts a file among the blobs and prints its descriptor.
add_blob() {
  hash=$(sha256sum <"$1" | cut -d' ' -f1)
  cp "$1" "$blobs/$hash"
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%d}' "$2" "$hash" "$(wc -c <"$1")"
}
layer=$(add_blob "$file" application/vnd.cyclonedx+json)
echo '{}' >"$work/config"
config=$(add_blob "$work/config" application/vnd.oci.empty.v1+json)
# The image's digest makes this manifest its own: equal lists of two images would otherwise be one, and go with the first of them.
printf '{"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s],"annotations":{"hyperguild.image":"%s"}}' \
  application/vnd.oci.image.manifest.v1+json "$config" "$layer" "$digest" >"$work/manifest"
manifest=$(add_blob "$work/manifest" application/vnd.oci.image.manifest.v1+json)
printf '{"schemaVersion":2,"manifests":[%s]}' "$manifest" >"$work/layout/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/layout/oci-layout"
tar -C "$work/layout" -cf "$work/sbom.tar" .
sh "$(dirname "$0")/push-image.sh" "$work/sbom.tar" "$repository" "sha256-${digest#sha256:}.sbom"

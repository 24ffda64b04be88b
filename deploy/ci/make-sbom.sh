#!/bin/sh
# Lists the npm packages of an image as CycloneDX JSON: make-sbom.sh NAME FILE
# npm lists an installed tree, and only rightly when nothing else is around; so the app's own packages are installed as the image has
# them. What the base image and Debian bring is not in the list.
set -eu
case $1 in
  api) app=apps/gateway ;;
  worker) app=apps/worker ;;
  *) echo "make-sbom: $1 is neither api nor worker" >&2; exit 2 ;;
esac
case $2 in /*) file=$2 ;; *) file=$PWD/$2 ;; esac
cd "$(dirname "$0")/../.."

work=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-sbom.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for folder in . packages/core packages/io "$app"; do
  mkdir -p "$work/$folder"
  cp "$folder/package.json" "$work/$folder/"
done
cp package-lock.json .npmrc "$work/"
cd "$work"
npm pkg delete devDependencies
npm ci --omit=dev --omit=optional --ignore-scripts --workspace "$app" >/dev/null
npm sbom --sbom-format cyclonedx >"$work/sbom.json"
cp "$work/sbom.json" "$file"

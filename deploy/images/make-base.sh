#!/bin/sh
# Makes a stand-in for the official Node image from Debian packages and this repository's own Node, for machines that reach no
# registry of images: make-base.sh NAME. Does nothing when the image is there.
set -eu
name=$1
cd "$(dirname "$0")/../.."
if buildah inspect --type image "$name" >/dev/null 2>&1; then exit 0; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/hyperguild-base.XXXXXX")
container=''
clean_up() {
  if [ -n "$container" ]; then buildah rm "$container" >/dev/null; fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

root=$work/root
debootstrap --variant=minbase bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
# What the slim images leave out, too.
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc \
  "$root"/usr/share/man "$root"/usr/share/info "$root"/usr/share/locale "$root"/usr/share/lintian
cp "$(node_modules/.bin/node -p process.execPath)" "$root/usr/local/bin/node"
mkdir -p "$root/usr/local/lib/node_modules"
cp -R "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
echo 'node:x:1000:1000::/home/node:/bin/sh' >>"$root/etc/passwd"
echo 'node:x:1000:' >>"$root/etc/group"

container=$(buildah from scratch)
mounted=$(buildah mount "$container")
cp -a "$root/." "$mounted/"
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd node "$container"
buildah commit -q "$container" "$name" >/dev/null

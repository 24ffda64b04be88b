#!/bin/sh
# Makes a fresh clone runnable: npm packages (Node 24 among them), a Redis server, git, the sandbox and the search tool.
# Says one line per thing it does and nothing when there is nothing to do. Safe to run again at any time.
set -eu
cd "$(dirname "$0")/.."

tried=.hyperguild/setup-tried
log="${TMPDIR:-/tmp}/hyperguild-setup.$$.log"
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command whose output matters only when it fails.
quietly() {
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 40 "$log" >&2
  return 1
}

packages_are_current() {
  [ -f node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ]
}

install_npm_packages() {
  node -e 'process.exit(parseInt(process.versions.node, 10) < 20 ? 1 : 0)' ||
    fail "needs Node 20 or newer to begin with, this is $(node --version); install one from https://nodejs.org"
  say 'installing npm packages'
  quietly npm ci || fail 'npm ci failed (above); mend the cause and run the command again'
  # A run that changed nothing leaves npm's own record as old as it was.
  touch node_modules/.package-lock.json
  node_modules/.bin/node --version >/dev/null 2>&1 || use_own_node
}

# The packaged Node is built for glibc, macOS and Windows; elsewhere (Alpine) the machine's own must be new enough.
use_own_node() {
  rm -f node_modules/.bin/node
  node -e 'process.exit(parseInt(process.versions.node, 10) < 24 ? 1 : 0)' ||
    fail "the packaged Node 24 does not run here and this machine has $(node --version); install Node 24 or newer"
}

in_one_line() { echo "$1" | tr '\n' ' ' | sed 's/ $//'; }

needs_redis() { [ -z "${REDIS_URL:-}" ] && ! has redis-server && ! has valkey-server; }

required_programs() {
  if needs_redis; then echo redis; fi
  if ! has git; then echo git; fi
}

optional_programs() {
  if [ "$(uname -s)" = Linux ] && ! has bwrap; then echo bubblewrap; fi
  if ! has rg; then echo ripgrep; fi
}

# Sets `as_root` to what must stand before a command of the package manager.
# A password is asked for only when something required is missing ($1) and somebody is there to type it.
become_root() {
  as_root=''
  if [ "$manager" = brew ] || [ "$(id -u)" = 0 ]; then return 0; fi
  as_root=sudo
  has sudo || return 1
  sudo -n true 2>/dev/null && return 0
  [ -n "$1" ] && [ -t 0 ] && sudo -v
}

find_manager() {
  for manager in apt-get apk dnf brew; do
    if has "$manager"; then return 0; fi
  done
  return 1
}

refresh_package_lists() {
  if [ "$manager" = apt-get ]; then quietly $as_root apt-get -q update; fi
}

# $as_root is left unquoted on purpose: empty, it must vanish.
install_package() {
  case $manager in
    # Neither questions nor a started service: the fleet runs its own private Redis.
    apt-get) quietly $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get install -q -y --no-install-recommends "$1" ;;
    apk) quietly $as_root apk add --no-cache "$1" ;;
    dnf) quietly $as_root dnf install -y -q --setopt=install_weak_deps=False "$1" ;;
    brew) quietly brew install -q "$1" ;;
  esac
}

install_program() {
  say "installing $1"
  if [ "$1" != redis ]; then install_package "$1"; return; fi
  if [ "$manager" = apt-get ]; then install_package redis-server && stop_redis_service; return; fi
  install_package redis || install_package valkey
}

# RUNLEVEL does not hold systemd back.
stop_redis_service() {
  if [ -d /run/systemd/system ]; then quietly $as_root systemctl disable --now redis-server; fi
}

install_programs() {
  required=$(required_programs)
  wanted=$(printf '%s\n%s\n' "$required" "$(optional_programs)" | sed '/^$/d')
  if [ -z "$wanted" ]; then return 0; fi
  # What could not be had the last time is not tried again on every start.
  if [ -z "$required" ] && [ "$(cat "$tried" 2>/dev/null)" = "$wanted" ]; then return 0; fi
  if find_manager && become_root "$required"; then
    refresh_package_lists || say 'the package lists could not be refreshed, going on with the old ones'
    for program in $wanted; do install_program "$program" || say "$program could not be installed"; done
  fi
  check_programs
}

check_programs() {
  required=$(required_programs)
  if [ -n "$required" ]; then
    fail "$(in_one_line "$required") missing and not installable from here (not root, no sudo, or no known package manager).
  Install it yourself, such as: apt-get install redis-server git
  For Redis alone there is another way: REDIS_URL=redis://host:6379 names a server that runs already."
  fi
  optional=$(optional_programs)
  if [ -z "$optional" ]; then return 0; fi
  mkdir -p "${tried%/*}"
  echo "$optional" >"$tried"
  say "going on without $(in_one_line "$optional"); install them for a stronger sandbox and a faster search"
}

packages_are_current || install_npm_packages
install_programs

# Sourced: logs in at the registry of $repository, with credentials that live in $work alone.
#   REGISTRY_USER, REGISTRY_TOKEN   when the registry wants them
#   REGISTRY_TLS                    false for a registry without TLS
# shellcheck shell=sh disable=SC2154 # set by who sources this
: "${REGISTRY_TLS:=true}"
export REGISTRY_AUTH_FILE="$work/auth.json"
(umask 077 && echo '{}' >"$REGISTRY_AUTH_FILE")
if [ -n "${REGISTRY_TOKEN:-}" ]; then
  printf '%s' "$REGISTRY_TOKEN" |
    skopeo login --tls-verify="$REGISTRY_TLS" --username "${REGISTRY_USER:?REGISTRY_TOKEN needs a REGISTRY_USER}" \
      --password-stdin "${repository%%/*}" >/dev/null
fi

#!/bin/sh
# Pins an image of a kustomization.yaml: set-digest.sh FILE NAME NEW_NAME DIGEST
# Rewrites the `newName` and `digest` of the entry `- name: NAME` under `images:`; a `newTag` there gives way to the digest.
# Nothing else of the file changes. Needs no program but awk, so that the job that holds the key runs little.
set -eu
file=$1 name=$2 new_name=$3 digest=$4

if ! printf '%s' "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
  echo "set-digest: $digest is no digest" >&2
  exit 2
fi

changed=$(mktemp "$file.XXXXXX")
trap 'rm -f "$changed"' EXIT
awk -v name="$name" -v new_name="$new_name" -v digest="$digest" '
  function indent(line) { match(line, /^ */); return RLENGTH }
  function plain(text) { gsub(/["\047]/, "", text); sub(/[ \t]+#.*$/, "", text); sub(/[ \t]+$/, "", text); return text }
  # Past the entry: whatever it lacked is already written behind its name.
  inside && $0 !~ /^ *(#|$)/ && indent($0) <= dash { inside = 0 }
  $0 !~ /^ *(#|$)/ && /^[^ -]/ { images = ($0 ~ /^images:/) }
  images && /^ *- / {
    value = $0
    sub(/^ *- +/, "", value)
    if (value ~ /^name:/ && plain(substr(value, 6)) ~ ("^ *" name "$")) {
      dash = indent($0); inside = 1; found++
      pad = sprintf("%*s", dash + 2, "")
      print
      print pad "newName: " new_name
      print pad "digest: " digest
      next
    }
  }
  inside && /^ *(newName|newTag|digest):/ { next }
  { print }
  END { if (found != 1) exit 3 }
' "$file" >"$changed" || {
  echo "set-digest: $file has not exactly one entry '- name: $name' under images:" >&2
  exit 3
}
cat "$changed" >"$file"

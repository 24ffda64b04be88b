#!/bin/sh
# Refuses Secrets of Kubernetes that are not encrypted by SOPS: refuse-plain-secrets.sh FILE-OR-FOLDER…
# For the checks of a repository, and as a hook before a commit. A Secret needs the block that sops writes, and every value encrypted.
set -eu
find "$@" -type f \( -name '*.yaml' -o -name '*.yml' -o -name '*.json' -o -name '*.new' \) ! -path '*/node_modules/*' ! -path '*/.git/*' -exec awk '
  function finish() {
    if (is_secret && (!is_sealed || plain != "")) {
      printf "%s: a Secret that is not encrypted%s; run: sops encrypt --in-place %s\n", file, plain == "" ? "" : " (" plain ")", file
      refused = 1
    }
    is_secret = is_sealed = inside = 0; plain = ""
  }
  FNR == 1 { if (NR > 1) finish(); file = FILENAME }
  /^---/ { finish(); next }
  { indent = match($0, /[^ ]/) - 1 }
  # In a list, and in JSON, too.
  /^[ \-{,]*["\047]?kind["\047]?[ ]*:[ ]*["\047]?Secret["\047]?[ ]*[,}]?[ ]*(#.*)?$/ { is_secret = 1 }
  /["\047]kind["\047][ ]*:[ ]*["\047]Secret["\047]/ { is_secret = 1 }
  /^sops:/ || /"sops"[ ]*:/ { is_sealed = 1 }
  inside && indent >= 0 && indent <= data_indent { inside = 0 }
  inside && indent >= 0 && $0 !~ /ENC\[/ && $0 !~ /^ *#/ && plain == "" { plain = "line " FNR }
  /^ *["\047]?(data|stringData)["\047]?[ ]*:/ {
    inside = 1; data_indent = indent
    if ($0 !~ /:[ ]*\{?[ ]*(#.*)?$/ && $0 !~ /ENC\[/) plain = "line " FNR
  }
  END { finish(); exit refused }
' {} +

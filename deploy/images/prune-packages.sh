#!/bin/sh
# Takes out of a node_modules folder ($1) what nothing reads at run time, nearly half of it: TypeScript, which Node does not run
# there, source maps, documentation.
set -eu
find "$1" -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \
  -o -iname 'readme*.md' -o -iname 'changelog*.md' \) -delete

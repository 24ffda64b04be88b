#!/bin/sh
# Takes out of a node_modules folder ($1) what nothing reads at run time: types, source maps, documentation. Nearly half of it.
set -eu
find "$1" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \
  -o -iname 'readme*.md' -o -iname 'changelog*.md' \) -delete

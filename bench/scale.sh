#!/usr/bin/env bash
# Start, finish and listings in an account of 10^4 and one of 10^6 files, and their ratios. The
# directories are made first (about 30 s and 1.5 GB), the rounds go back and forth between them.
#     bench/scale.sh [ROUNDS] [FILES_OF_THE_LARGE_ONE]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-31} files=${2:-1000000}
cargo build -q --release -p landfall-cli
cargo build -q --release -p landfall-testkit --example tree --example scale
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
release=target/release

for size in 10000 "$files"; do
    begun=$SECONDS
    "$release/examples/tree" "$work/$size" "$size"
    echo "$size files: made in $((SECONDS - begun)) s, $(du -sm "$work/$size" | cut -f1) MB"
done
"$release/examples/scale" "$release/landfall" "$work/10000" "$work/$files" "$rounds"

# Each tenth file has an old revision. In the end, because they are gone then.
for size in 10000 "$files"; do
    begun=$EPOCHREALTIME
    told=$("$release/landfall" admin --data "$work/$size" collect --now --keep-revisions 1s)
    awk -v from="$begun" -v to="$EPOCHREALTIME" -v told="$told" 'BEGIN {
        split(told, words, " "); revisions = words[5]
        printf "%d old revisions went in %.1f s, %.2f ms each\n", revisions, to - from, (to - from) * 1000 / revisions
    }'
done

#!/usr/bin/env bash
# Commits per second at 1, 8 and 64 clients, with the sync of the metadata slowed to 4 ms (a disk
# without a write cache). Needs strace. Interleaved: PAIRS rounds, the median of each.
#     bench/group-commit.sh [PAIRS]
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-7}
cargo build -q --release -p landfall-cli
cargo build -q --release -p landfall-testkit --example commits
work=$(mktemp -d)
# strace hands no signal on: the server it runs is ended by its own id.
trap 'pkill -P "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
tool=target/release/landfall

"$tool" admin --data "$work/data" account add bench >/dev/null
export LANDFALL_TOKEN
LANDFALL_TOKEN=$("$tool" admin --data "$work/data" token create --account bench)
RUST_LOG=warn strace -f -qq --seccomp-bpf -o /dev/null -e trace=fsync,fdatasync \
    -e inject=fsync,fdatasync:delay_exit=4000 \
    "$tool" serve --data "$work/data" --listen 127.0.0.1:0 >"$work/out" &
server=$!
until grep -q listening "$work/out"; do sleep 0.1; done
url=$(sed -n 's/listening on //p' "$work/out")

for _ in $(seq "$pairs"); do
    for clients in 1 8 64; do
        target/release/examples/commits "$url" "$clients" 3 >>"$work/$clients"
    done
done
median() { sort -n "$1" | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
spread() { sort -n "$1" | sed -n '1p;$p' | paste -sd' ' | sed 's/ / to /'; }
one=$(median "$work/1")
for clients in 1 8 64; do
    printf '%2d clients: %5d commits/s (%s), %.1f times one client\n' "$clients" \
        "$(median "$work/$clients")" "$(spread "$work/$clients")" \
        "$(awk "BEGIN {print $(median "$work/$clients") / $one}")"
done

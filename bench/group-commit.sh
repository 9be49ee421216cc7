#!/usr/bin/env bash
# Commits per second at 1, 8 and 64 clients, with the sync of the metadata slowed to 4 ms (a disk
# without a write cache). Needs strace. Interleaved: PAIRS rounds, the median of each. Also says how
# busy the processors were, with server, clients and strace on them, and what the server took.
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

# Ticks: all processors together, those of them that were idle, the server's.
ticks() {
    local all idle
    read -r all idle < <(awk '/^cpu / {for (i = 2; i <= NF; i++) sum += $i; print sum, $5 + $6}' /proc/stat)
    echo "$all $idle $(awk '{print $14 + $15}' "/proc/$(pgrep -P "$server")/stat")"
}
for _ in $(seq "$pairs"); do
    for clients in 1 8 64; do
        before=$(ticks)
        commits=$(target/release/examples/commits "$url" "$clients" 3)
        echo "$commits" >>"$work/$clients"
        echo "$before $(ticks) $commits" | awk '{
            print int(100 - 100 * ($5 - $2) / ($4 - $1)), ($6 - $3) / 100 / (3 * $7) * 1000
        }' >>"$work/$clients.busy"
    done
done
median() { sort -n "$1" | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
spread() { sort -n "$1" | sed -n '1p;$p' | paste -sd' ' | sed 's/ / to /'; }
one=$(median "$work/1")
for clients in 1 8 64; do
    printf '%2d clients: %5d commits/s (%s), %.1f times one client; ' "$clients" \
        "$(median "$work/$clients")" "$(spread "$work/$clients")" \
        "$(awk "BEGIN {print $(median "$work/$clients") / $one}")"
    sort -n "$work/$clients.busy" | awk '{busy[NR] = $1; each += $2} END {
        printf "processors %d %% busy, %.2f ms of the server each\n", busy[int((NR + 1) / 2)], each / NR
    }'
done

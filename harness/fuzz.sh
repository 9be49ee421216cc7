#!/usr/bin/env bash
# Fuzzes what strangers can send; docs/correctness.md says what each target asserts.
#     harness/fuzz.sh short             about ten seconds for each target: for ./test.sh
#     harness/fuzz.sh long [TARGET…]    10,000,000 executions of each target, on two cores
#     harness/fuzz.sh keep [TARGET…]    takes into the committed corpora what the long form found,
#                                       one input for each place in the code that is reached
# Needs cargo-fuzz, which it builds once, and a C++ compiler for libFuzzer. Stable Rust will do:
# without a sanitizer, cargo-fuzz asks for nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.13.2
tools=$PWD/.tools
binaries=$PWD/fuzz/target/x86_64-unknown-linux-gnu/release

# Executions of the short form: about ten seconds on one core of a small machine.
declare -A short=(
    [argument_header]=600000
    [argument_url]=40000
    [paths]=100000
    [folding]=200000
    [cursors]=200000
    [chunked]=25000
)
# Bytes of the longest input: as many as it takes to pass the limits of names and of what is shown.
declare -A longest=(
    [argument_header]=2048
    [argument_url]=1024
    [paths]=640
    [folding]=128
    [cursors]=128
    [chunked]=1024
)
# Nothing here needs more memory, whatever is sent.
memory_mb=512
long=10000000

if [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
    cargo install --locked --root "$tools" --version "$version" cargo-fuzz
fi
form=${1:?short, long or keep}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(argument_header argument_url paths folding cursors chunked)

cargo fmt --manifest-path fuzz/Cargo.toml --check
# `--sanitizer none`: this is safe Rust, and the sanitizers need a nightly compiler.
"$tools/bin/cargo-fuzz" build --sanitizer none

# Runs a target for so many executions; what it finds stays out of the committed corpus.
run() {
    local target=$1 seed=$2 executions=$3 log=$4
    mkdir -p "fuzz/target/grown/$target" "fuzz/artifacts/$target"
    "$binaries/$target" -runs="$executions" -seed="$seed" -max_len="${longest[$target]}" \
        -rss_limit_mb="$memory_mb" -timeout=20 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
        "fuzz/target/grown/$target" "fuzz/corpus/$target" >"$log" 2>&1
}

# What a run did, from its log; or what it died of.
report() {
    local target=$1
    shift
    awk -v target="$target" '
        /^stat::number_of_executed_units/ { executions += $2 }
        /^stat::average_exec_per_sec/ { speed += $2 }
        /^stat::peak_rss_mb/ && $2 > memory { memory = $2 }
        match($0, / cov: [0-9]+/) { found = substr($0, RSTART + 6, RLENGTH - 6); if (found > covered) covered = found }
        END { printf "%-16s %9d executions, %7d a second, %5d edges, %4d MB\n", target, executions, speed, covered, memory }
    ' "$@"
}

died() {
    grep -h -A 6 -E 'panicked at|ERROR: libFuzzer|SUMMARY' "$@" || tail -n 20 "$@"
    echo "fuzz/artifacts has the input: $binaries/TARGET INPUT plays it again" >&2
    exit 1
}

for target in "${targets[@]}"; do
    log=fuzz/target/$target
    case $form in
    short)
        # From the committed corpus alone, with one seed.
        rm -rf "fuzz/target/grown/$target"
        run "$target" 1 "${short[$target]}" "$log.1.log" || died "$log.1.log"
        report "$target" "$log.1.log"
        ;;
    long)
        run "$target" 1 $((long / 2)) "$log.1.log" &
        first=$!
        run "$target" 2 $((long / 2)) "$log.2.log" &
        second=$!
        wait "$first" || died "$log.1.log"
        wait "$second" || died "$log.2.log"
        report "$target" "$log.1.log" "$log.2.log"
        ;;
    keep)
        # By places alone, not by how often and with what each is passed: hundreds instead of thousands.
        "$binaries/$target" -set_cover_merge=1 -use_counters=0 -use_cmp=0 -max_len=256 \
            "fuzz/corpus/$target" "fuzz/target/grown/$target" 2>&1 | grep new
        ;;
    *)
        echo "short, long or keep, not $form" >&2
        exit 2
        ;;
    esac
done

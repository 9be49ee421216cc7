#!/usr/bin/env bash
# Changes the rules and the protocol in every way that cargo-mutants knows, one at a time, and sees
# whether a test notices. Takes hours; docs/mutants.md says what survived, and why it may.
#     harness/mutants.sh rules|protocol [ARGUMENTS OF cargo mutants]
set -euo pipefail
cd "$(dirname "$0")/.."
version=27.1.0
tools=$PWD/.tools

if [ "$("$tools/bin/cargo-mutants" mutants --version 2>/dev/null)" != "cargo-mutants $version" ]; then
    cargo install --locked --root "$tools" --version "$version" cargo-mutants
fi
part=${1:?rules or protocol}
shift
# Only these are built: for each mutant, that takes longer than all else.
targets=()
arguments=()
filters=()
case $part in
rules)
    files='crates/landfall-server/src/rules/**/*.rs'
    # Building is what takes the time, so first the oracle alone, on the engine in memory. What it
    # misses: again, with `--iterate` and more tests, as ROUND=2.
    targets=(oracle)
    if [ "${ROUND:-1}" = 2 ]; then
        targets=(concurrent folders relocation revisions)
        arguments=(--cargo-arg=--lib)
    fi
    filters=(rules:: memory ten_thousand)
    package=landfall-server
    ;;
protocol)
    files='crates/landfall-protocol/src/**/*.rs'
    package=landfall-protocol
    ;;
*)
    echo "rules or protocol, not $part" >&2
    exit 2
    ;;
esac
for target in "${targets[@]}"; do
    arguments+=("--cargo-arg=--test=$target")
done
# Nobody looks at backtraces of mutants.
export CARGO_PROFILE_DEV_DEBUG=0
"$tools/bin/cargo-mutants" mutants --package "$package" --file "$files" --no-shuffle "${arguments[@]}" "$@" \
    -- -- "${filters[@]}"

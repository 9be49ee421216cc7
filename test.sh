#!/usr/bin/env bash
# Installs what the tests need, then runs every check. Needs Rust and the network for the first
# run, and root for the loop mounts of the power-loss tests. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")"

tools=$PWD/.tools
deny_version=0.20.2
requests_version=2.32.5
dropbox_version=12.2.4

# What comes next, and how long it took until then.
say() { printf '\n== %d:%02d %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# Debian packages: programs that the tests run, and what builds SQLite, the TLS library and libFuzzer.
install_packages() {
    local missing=()
    local entry program package
    for entry in cc:gcc c++:g++ curl:curl python3:python3 unshare:util-linux mount:mount mkfs.ext4:e2fsprogs \
        strace:strace ip:iproute2 rclone:rclone; do
        program=${entry%%:*} package=${entry##*:}
        command -v "$program" >/dev/null || missing+=("$package")
    done
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
    [ ${#missing[@]} -eq 0 ] && return
    say "installing Debian packages: ${missing[*]}"
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    if [[ " ${missing[*]} " == *" postgresql "* ]]; then
        # The tests throw their servers away; the package's own is not wanted.
        "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' |
            "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf >/dev/null
    fi
    "${as_root[@]}" apt-get update -q
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Python's requests and the official SDK, in an environment of their own.
install_python() {
    local python=$tools/python
    if ! "$python/bin/python" -c "
import dropbox, requests
assert requests.__version__ == '$requests_version' and dropbox.__version__ == '$dropbox_version'
" 2>/dev/null; then
        say "installing requests $requests_version and dropbox $dropbox_version into .tools/python"
        rm -rf "$python"
        python3 -m venv "$python"
        "$python/bin/python" -m pip install -q "requests==$requests_version" "dropbox==$dropbox_version"
    fi
}

install_deny() {
    if [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $deny_version" ]; then
        say "building cargo-deny $deny_version into .tools (once)"
        cargo install --locked --root "$tools" --version "$deny_version" cargo-deny
    fi
}

mkdir -p "$tools"
install_packages
install_python
install_deny

say "format"
cargo fmt --all --check
say "lints"
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
for feature in "" commands blocking callback transfer; do
    cargo clippy --locked -p landfall --no-default-features --features "$feature" -- -D warnings
done
say "dependencies: bans, licenses, sources"
"$tools/bin/cargo-deny" --log-level warn check bans licenses sources
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --all-features --quiet
say "tests that need no outside program"
cargo test --locked --workspace 2>&1 | tee target/tests.log
say "each test that docs/coverage.md names ran and passed"
python3 harness/test_coverage.py
python3 harness/coverage.py docs/coverage.md target/tests.log
python3 harness/coverage.py docs/pains.md target/tests.log
say "the server beside the oracle: 2,000 cases (docs/correctness.md)"
LANDFALL_ORACLE_CASES=2000 cargo test --locked -p landfall-server --test oracle -- --show-output
say "fuzz targets on what strangers can send, a minute in all (docs/correctness.md)"
harness/fuzz.sh short
say "the spike on PostgreSQL, beside a server that is thrown away"
harness/postgres.sh cargo test --locked -p landfall-server --features postgres --lib postgres
say "tests with outside programs: curl, Python's requests, a full disk"
LANDFALL_TEST_PYTHON=$tools/python/bin/python \
    cargo test --locked -p landfall-cli --features external-programs --test external
say "a program on the official Rust SDK, in a workspace of its own"
sdk=crates/landfall-cli/tests/clients/rust-sdk
cargo build --locked --manifest-path $sdk/Cargo.toml --target-dir target/rust-sdk
say "unmodified clients over TLS: the official Python and Rust SDKs, rclone (some minutes)"
LANDFALL_TEST_PYTHON=$tools/python/bin/python \
    LANDFALL_TEST_RUST_SDK=$PWD/target/rust-sdk/debug/rust-sdk \
    cargo test --locked -p landfall-cli --features external-programs --test clients

say "a server with safeguards to take away, for the test of the next tests"
cargo build --locked -p landfall-cli --features weakened --target-dir target/weakened
say "faults planted in the rules, each of which the oracle must find"
cargo test --locked -p landfall-server --features weakened --target-dir target/weakened \
    --test oracle each_planted
say "tests of durability: power loss, SIGKILL, failing and full disks (root; docs/reliability.md)"
LANDFALL_TEST_WEAKENED=$PWD/target/weakened/debug/landfall \
    cargo test --locked -p landfall-cli --features external-programs --test durability

say "all passed"

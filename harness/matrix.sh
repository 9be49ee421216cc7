#!/usr/bin/env bash
# Uploads that meet several faults at places that chance chooses, and that are run again until they
# are through; docs/correctness.md says what is looked at after each run.
#     harness/matrix.sh [RUNS [SEED]]    1,000 runs unless told otherwise, from seed 1 on
# What went wrong is printed with its seed: harness/matrix.sh 1 SEED plays it again.
set -euo pipefail
cd "$(dirname "$0")/.."
export LANDFALL_MATRIX_RUNS=${1:-1000} LANDFALL_MATRIX_SEED=${2:-1}
exec cargo test --release --locked -p landfall --test matrix -- --nocapture however_many_faults

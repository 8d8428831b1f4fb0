#!/usr/bin/env bash
# Compares the cost of whole invocations with revision REV: builds both the same way and runs them in turn.
# Usage: benches/compare.sh REV [--only 3] [--rounds 5] [--invocations 4]
set -euo pipefail

rev=${1:?usage: benches/compare.sh REV [OPTION...], where REV is the revision to compare with}
shift
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
target=${CARGO_TARGET_DIR:-$root/target}
other=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$other"' EXIT

git -C "$root" worktree add --quiet --detach "$other" "$rev"
(cd "$other" && CARGO_TARGET_DIR="$target/compare" cargo build --release -p benches --bin benches)
(cd "$root" && CARGO_TARGET_DIR="$target" cargo build --release -p benches --bin benches)
"$target/release/benches" compare "$target/compare/release/benches" "$@"

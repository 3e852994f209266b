#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: config_sample_test.sh BUILD_DIR
# The sample that is installed is what zokiod itself prints, and every key in it, uncommented, parses.
set -euo pipefail
build=$(readlink -f "${1:?usage: config_sample_test.sh BUILD_DIR}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lib.sh
source "$here/lib.sh"
sample=$here/../../deploy/systemd/zokiod.toml

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$build/bin/zokiod" --print-config >"$work/printed" || fail "zokiod --print-config"
# The first line of the sample is the licence.
diff <(tail -n +2 "$sample") "$work/printed" ||
  fail "the sample differs: (head -n 1 $sample; zokiod --print-config) writes a new one"

sed 's/^#\([a-z_]* = \)/\1/' "$work/printed" >"$work/all.toml"
"$build/bin/zokiod" --config "$work/all.toml" --check-config || fail "the defaults do not pass their own check"
# A key that does not exist has to be refused, or the check above proves nothing.
echo 'no_such_key = 1' | cat - "$work/all.toml" >"$work/wrong.toml"
! "$build/bin/zokiod" --config "$work/wrong.toml" --check-config 2>"$work/said" || fail "an unknown key was accepted"
grep -q 'wrong.toml:1:1' "$work/said" || fail "the error names no line: $(cat "$work/said")"
echo "passed"

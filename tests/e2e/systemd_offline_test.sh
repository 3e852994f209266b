#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit files without a running systemd: they parse without a word, the hardening holds its
# score, and sysusers and tmpfiles make the account and the directories.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../deploy/systemd"

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
command -v systemd-analyze >/dev/null || skip "no systemd-analyze here (package systemd)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The binaries need not be installed for their units to be right.
for unit in zokiod.service zokiod.socket; do
  sed 's|/usr/bin/zokiod|/bin/true|' "$unit" >"$work/$unit"
done
said=$(systemd-analyze verify --man=no "$work/zokiod.service" "$work/zokiod.socket" 2>&1) ||
  fail "systemd-analyze verify: $said"
# An unknown key is only a warning with exit status 0, so silence is the test.
[[ -z $said ]] || fail "systemd-analyze verify is not silent: $said"

systemd-analyze security --offline=true --threshold=25 --no-pager "$work/zokiod.service" >"$work/security" ||
  fail "exposure above 2.5: $(tail -n 1 "$work/security")"
tail -n 1 "$work/security"

# A misspelt key has to be noticed, or the check above proves nothing.
sed 's/^NoNewPrivileges=/NoNewPriviledges=/' "$work/zokiod.service" >"$work/misspelt.service"
[[ -n $(systemd-analyze verify --man=no "$work/misspelt.service" 2>&1) ]] || fail "a misspelt key went unnoticed"

if [[ $(id -u) -eq 0 ]] && command -v systemd-sysusers >/dev/null; then
  mkdir -p "$work/root/etc" "$work/root/run"
  systemd-sysusers --root="$work/root" "$PWD/zokiod.sysusers" >/dev/null || fail "sysusers"
  grep -q '^zokio:' "$work/root/etc/passwd" || fail "sysusers made no account zokio"
fi
echo "passed"

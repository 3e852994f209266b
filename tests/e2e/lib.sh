# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the end-to-end scripts share. Sourced, after `set -euo pipefail`.

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "FAILED: $*" >&2; exit 1; }
note() { echo "--- $*"; }

# need_root, need_tools <tool...>: skip when this machine lacks them.
need_root() { [[ $(id -u) -eq 0 ]] || skip "needs root"; }
need_tools() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || skip "needs $tool: ./dev deps --e2e"
  done
}

# wait_for <seconds> <what> <command...>: polls until the command succeeds; fails at the deadline.
wait_for() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "$what: not within $seconds s"
    sleep 0.1
  done
}

# A TCP port of the loopback that nothing listens on at this moment.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# json <expression>: evaluates a Python expression on `d`, the JSON document on standard input.
json() {
  python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"
}

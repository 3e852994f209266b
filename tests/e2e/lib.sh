# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the end-to-end scripts share. Sourced, after `set -euo pipefail`.

skip() { echo "skipped: $*" >&2; exit 77; }
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

# The release of Debian this machine runs; skips on anything else. The libraries are those of the
# machine that built, so trees and images are made of its release.
debian_suite() {
  local id
  id=$(. /etc/os-release && echo "${ID:-}:${VERSION_CODENAME:-}")
  [[ $id == debian:* ]] || skip "built on $id; the tree is made of Debian"
  echo "${id#debian:}"
}

# debian_mirror <suite>: where this machine's apt gets that release from.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$1" '$2 == suite && !seen {print $1; seen = 1}')
  [[ -n $mirror ]] || skip "apt here has no source for $1"
  echo "$mirror"
}

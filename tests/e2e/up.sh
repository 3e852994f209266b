#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: up.sh BIN_DIR STATE_DIR
# Starts zokiod in STATE_DIR and leaves it running; says how to reach and how to stop it.
# Called again while it runs, it only says so.
set -euo pipefail
bin=$(readlink -f "${1:?usage: up.sh BIN_DIR STATE_DIR}")
mkdir -p "${2:?usage: up.sh BIN_DIR STATE_DIR}"
dir=$(readlink -f "$2")
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export ZOKIO_ADDRESS=unix://$dir/run/zokiod.sock

tell() {
  cat <<TEXT
zokiod runs as process $(cat "$dir/pid").
  address   export ZOKIO_ADDRESS=$ZOKIO_ADDRESS
  status    http://127.0.0.1:9464/        metrics: http://127.0.0.1:9464/metrics
  settings  $dir/zokiod.toml              (kill -HUP $(cat "$dir/pid") reads it again)
  log       $dir/log
  stop      kill $(cat "$dir/pid")        (drains first)
TEXT
}

if [[ -s $dir/pid ]] && "$bin/zokioctl" health >/dev/null 2>&1; then
  tell
  exit 0
fi

# A socket path has 108 bytes at most in Linux.
[[ ${#dir} -le 80 ]] || { echo "up: the path $dir is too long for a socket; build in a shorter one" >&2; exit 1; }
mkdir -p "$dir/run" "$dir/state" "$dir/data"
if [[ ! -s $dir/zokiod.toml ]]; then
  cat >"$dir/zokiod.toml" <<TOML
# Written by ./dev up, and left alone when it exists. All keys: zokiod --print-config
[policy]
roots = ["$dir/data", "$tree"]

[policy.exec]
enabled = true
TOML
fi
setsid "$bin/zokiod" --config "$dir/zokiod.toml" --runtime-dir "$dir/run" --state-dir "$dir/state" \
  </dev/null >>"$dir/log" 2>&1 &
echo $! >"$dir/pid"
for _ in $(seq 150); do
  if "$bin/zokioctl" health >/dev/null 2>&1; then
    tell
    exit 0
  fi
  kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
  sleep 0.1
done
echo "up: zokiod did not start; its log ends so:" >&2
tail -n 20 "$dir/log" >&2
exit 1

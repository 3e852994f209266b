#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: demo.sh BIN_DIR
#
# What zokio is for, in a minute: a daemon in a private directory gets real jobs, its workers,
# reactors and pools are resized while they run, the figures before and after are shown, and it is
# drained. Every step is checked; a failure shows the daemon's log and exits non-zero.
set -euo pipefail
bin=$(readlink -f "${1:?usage: demo.sh BIN_DIR}")
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/e2e/lib.sh
source "$tree/tests/e2e/lib.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/zokio-demo.XXXXXX")
daemon=
clean_up() {
  local status=$?
  if [[ $status -ne 0 ]]; then
    echo "demo: failed with status $status; the daemon's log:" >&2
    tail -n 60 "$work/log" >&2 || true
  fi
  if [[ -n $daemon ]] && kill -0 "$daemon" 2>/dev/null; then
    kill -KILL "$daemon"
  fi
  rm -rf "$work"
}
trap clean_up EXIT

load_jobs=60
port=$(free_port)
export ZOKIO_ADDRESS=unix://$work/run/zokiod.sock PATH=$bin:$PATH

# Shows a command as one would type it, and runs it.
run() {
  printf '\n$ %s\n' "${*//$work/\$DEMO}"
  "$@"
}
metric() { python3 - "$port" "$1" <<'PY'
import sys, urllib.request
text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=10).read().decode()
lines = [l for l in text.splitlines() if l.startswith(sys.argv[2]) and l[len(sys.argv[2])] in "{ "]
assert lines, f"no metric {sys.argv[2]}"
print(int(sum(float(l.rsplit(" ", 1)[1]) for l in lines)))
PY
}

start_daemon() {
  mkdir -p "$work/run" "$work/state" "$work/data" "$work/sums"
  # A copy of the sources, so that the jobs read a known tree and write only here.
  tar -C "$tree" --exclude=./build --exclude=./.git --exclude='*/node_modules' -cf - . | tar -C "$work/data" -xf -
  cat >"$work/zokiod.toml" <<TOML
workers = 2
reactors = 1

[jobs]
concurrency = 2

[policy]
roots = ["$work/data", "$work/sums"]

[policy.exec]
enabled = true
TOML
  zokiod --config "$work/zokiod.toml" --runtime-dir "$work/run" --state-dir "$work/state" \
    --http "127.0.0.1:$port" >"$work/log" 2>&1 &
  daemon=$!
  wait_for 30 "zokiod ready" zokioctl health
}

submit_jobs() {
  note "real jobs"
  checksum=$(zokioctl -o name submit file.checksum "$work/data" "manifest_path=$work/sums/tree")
  echo "checksum of this tree: job $checksum"
  run zokioctl run exec -- /bin/sh -c 'echo "a command ran as process $$"'
  note "a synthetic load"
  local seed
  for seed in $(seq "$load_jobs"); do
    echo "{\"synthetic_spawn\": {\"tasks\": \"100000\", \"seed\": \"$seed\"}, \"labels\": {\"part\": \"load\"}}"
  done >"$work/load.jsonl"
  zokioctl -o name submit -f "$work/load.jsonl" >"$work/load.ids"
  [[ $(sort -u "$work/load.ids" | wc -l) -eq $load_jobs ]] || fail "not every submit was acknowledged"
  echo "$load_jobs jobs of 100,000 tasks each"
}

resize_under_load() {
  note "resize while it runs"
  run zokioctl resize workers=6
  run zokioctl resize reactors=3
  run zokioctl resize pool.buffers=64Mi pool.frames=256Mi
  run zokioctl resize workers=1
  run zokioctl resize workers=4 reactors=2
  local unfinished
  unfinished=$(zokioctl -o json job list --state queued --state running | json 'len(d["jobs"])')
  echo
  echo "jobs still waiting or running after the last resize: $unfinished"
  [[ $unfinished -gt 0 ]] || fail "the load was over before the resizing was"
}

check_metrics() {
  note "the same on http://127.0.0.1:$port/metrics"
  local workers finished
  workers=$(metric zokio_scheduler_workers_desired)
  finished=$(metric zokio_jobs_finished_total)
  echo "workers $workers, jobs finished $finished"
  [[ $workers -eq 4 ]] || fail "the metrics say $workers workers, not 4"
  [[ $finished -eq $((load_jobs + 2)) ]] || fail "the metrics say $finished jobs finished, not $((load_jobs + 2))"
}

await_results() {
  local load
  mapfile -t load <"$work/load.ids"
  note "results"
  zokioctl job wait --timeout 300s "$checksum" "${load[@]}" >/dev/null || fail "a job did not succeed"
  run zokioctl job list --limit 5
  run zokioctl job get "$checksum"
  note "the manifest, checked by a program that has nothing to do with us"
  (cd "$work/data" && sed -E 's/^([0-9a-f]{64})  [0-9a-f]+  [0-9]+  /\1  /' "$work/sums/tree" | sha256sum --check --quiet) ||
    fail "sha256sum disagrees with the checksum job"
  echo "sha256sum agrees on $(wc -l <"$work/sums/tree") files"
}

drain() {
  note "drain and stop"
  run zokioctl drain --deadline 20s --wait
  kill -TERM "$daemon"
  local status=0
  wait "$daemon" || status=$?
  daemon=
  [[ $status -eq 0 ]] || fail "zokiod ended with status $status"
}

note "zokiod in a private directory"
start_daemon
run zokioctl version
note "figures before"
run zokioctl stats
submit_jobs
resize_under_load
await_results
note "figures after"
run zokioctl stats
check_metrics
drain
echo
echo "demo: all jobs accounted for, every resize done under load, drained and stopped with status 0"

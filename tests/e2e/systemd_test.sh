#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: systemd_test.sh BUILD_DIR
#
# The installed product under a real systemd: a Debian tree is made, the build is installed into it
# with the packages its libraries come from, and the tree is booted. Then: the unit starts and
# serves, the socket activates it, a hang is ended by the watchdog, SIGKILL is survived, a stop
# drains, and no result is lost on the way.
set -euo pipefail
build=$(readlink -f "${1:?usage: systemd_test.sh BUILD_DIR}")
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/e2e/lib.sh
source "$source_dir/tests/e2e/lib.sh"

need_root
need_tools mmdebstrap systemd-nspawn nsenter unshare python3
[[ -x $build/bin/zokiod && -x $build/bin/zokioctl ]] || fail "no zokiod and zokioctl in $build/bin"
[[ -d /sys/fs/cgroup/systemd || -f /sys/fs/cgroup/cgroup.controllers ]] || skip "no cgroups to boot systemd in"

suite=$(debian_suite) || exit $?
mirror=$(debian_mirror "$suite") || exit $?
work=$(mktemp -d /var/tmp/zokio-systemd.XXXXXX)
root=$work/root
nspawn=

clean_up() {
  local status=$?
  if [[ $status -ne 0 && $status -ne 77 && -n ${leader:-} ]]; then
    in_box journalctl --no-pager -u zokiod -n 60 2>/dev/null || true
  fi
  if [[ -n $nspawn ]] && kill -0 "$nspawn" 2>/dev/null; then
    in_box systemctl poweroff >/dev/null 2>&1 || true
    # nspawn ends with its tree. Its number is only used while it is our child that still runs.
    for _ in $(seq 100); do [[ -n $(jobs -pr) ]] || break; sleep 0.1; done
    [[ -z $(jobs -pr) ]] || kill -TERM "$nspawn"
  fi
  # nspawn leaves the control groups it made beside ours; one in use refuses to go.
  local hierarchy
  for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    find "$hierarchy"/{payload,supervisor} -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  rm -rf "$work"
}
trap clean_up EXIT

# Runs a command inside the booted tree.
in_box() { nsenter -t "$leader" -m -p -u -i -n -r -w -- "$@"; }
ctl() { in_box zokioctl "$@"; }
main_pid() { in_box systemctl show -P MainPID zokiod; }
restarts() { in_box systemctl show -P NRestarts zokiod; }
restarts_are() { [[ $(restarts) -eq $1 ]]; }
# journal_says <pattern>. Not a pipe: grep -q leaves early, and the writer's SIGPIPE would fail it.
journal_says() { grep -q "$1" <<<"$(in_box journalctl --no-pager -u zokiod)"; }
active() { [[ $(in_box systemctl is-active zokiod) == active ]]; }

make_tree() {
  note "make a $suite tree"
  local packages
  packages=$("$source_dir/deploy/runtime-packages.sh" "$build/bin/zokiod" "$build/bin/zokioctl" | paste -sd, -)
  # A base tree of its own cache: the mirror is asked once.
  local cache
  cache=$build/e2e/systemd-$suite-$(cksum <<<"$packages" | cut -d' ' -f1).tar
  if [[ ! -s $cache ]]; then
    mkdir -p "$build/e2e"
    mmdebstrap --quiet --variant=apt --include="systemd,systemd-sysv,dbus,procps,$packages" \
      "$suite" "$cache.part" --format=tar "$mirror" 2>"$work/mmdebstrap.log" || {
      tail -n 5 "$work/mmdebstrap.log"
      skip "the Debian mirror $mirror gave no tree"
    }
    mv "$cache.part" "$cache"
  fi
  mkdir -p "$root"
  tar -C "$root" -xf "$cache"
}

install_product() {
  note "install zokio into it"
  DESTDIR="$root" cmake --install "$build" --prefix /usr --component daemon >/dev/null
  mkdir -p "$root/etc/zokio" "$root/srv/data"
  echo "some data" >"$root/srv/data/file"
  sed 's|^#roots = .*|roots = ["/srv/data"]|' "$root/usr/share/doc/zokio/zokiod.toml" >"$root/etc/zokio/zokiod.toml"
  grep -q '^roots = ' "$root/etc/zokio/zokiod.toml" || fail "the sample has no policy.roots"
  mkdir -p "$root/etc/systemd/system/zokiod.service.d"
  # Shorter than in service, so that the test need not wait 20 s for a hang to be noticed.
  printf '[Service]\nWatchdogSec=3\n' >"$root/etc/systemd/system/zokiod.service.d/test.conf"
  systemd-sysusers --root="$root" >/dev/null
  systemctl --root="$root" --quiet enable zokiod.service
}

boot() {
  note "boot it"
  systemd-nspawn --quiet -D "$root" -b --register=no --keep-unit --private-network --console=pipe \
    </dev/null >"$work/console" 2>&1 &
  nspawn=$!
  leader=
  for _ in $(seq 300); do
    leader=$(pgrep -P "$nspawn" -x systemd | head -n 1) || true
    [[ -n $leader && -e /proc/$leader/root/run/systemd/private ]] && break
    kill -0 "$nspawn" 2>/dev/null || { cat "$work/console"; skip "systemd-nspawn could not boot here"; }
    sleep 0.1
  done
  [[ -n $leader ]] || skip "systemd did not come up in the tree"
  wait_for 60 "boot" in_box systemctl is-active multi-user.target
}

check_units() {
  note "units verify in the installed tree"
  local said
  said=$(in_box systemd-analyze verify --man=no zokiod.service zokiod.socket 2>&1) || fail "verify: $said"
  [[ -z $said ]] || fail "verify is not silent: $said"
  in_box systemd-analyze security --no-pager --threshold=25 zokiod.service | tail -n 1
}

check_serves() {
  note "starts and serves"
  wait_for 60 "zokiod active" active
  ctl health
  local id
  id=$(ctl -o name submit file.checksum /srv/data)
  ctl job wait "$id"
  first_job=$id
  [[ $(in_box stat -c %U:%G:%a /run/zokio/zokiod.sock) == zokio:zokio:660 ]] || fail "owner or mode of the socket"
  local user
  user=$(in_box ps -o user= -p "$(main_pid)")
  [[ $user == zokio ]] || fail "zokiod runs as $user"
}

check_job_kept() {
  grep -q '"succeeded"' <<<"$(ctl -o json job get "$first_job")" || fail "the first job's result is gone"
}

check_socket_activation() {
  note "socket activation: a client starts the stopped daemon"
  in_box systemctl stop zokiod.service
  ! active || fail "still active after stop"
  [[ $(in_box systemctl show -P Result zokiod) == success ]] || fail "the stop was not clean"
  ctl health
  active || fail "not started by its socket"
  check_job_kept
}

check_watchdog() {
  note "a hang: SIGSTOP, the watchdog ends it, systemd restarts it"
  local before
  before=$(restarts)
  in_box kill -STOP "$(main_pid)"
  wait_for 60 "restart after a hang" restarts_are $((before + 1))
  wait_for 60 "active after a hang" active
  journal_says 'Watchdog timeout' || fail "the journal names no watchdog timeout"
  ctl health
  check_job_kept
}

check_sigkill() {
  note "SIGKILL with a job running: restarted, and the job runs again"
  local before id
  before=$(restarts)
  id=$(ctl -o name submit synthetic.spawn tasks=1000000)
  in_box kill -KILL "$(main_pid)"
  wait_for 60 "restart after SIGKILL" restarts_are $((before + 1))
  wait_for 60 "active after SIGKILL" active
  ctl job wait "$id" --timeout 240s
  check_job_kept
}

check_reload() {
  note "reload"
  local pid
  pid=$(main_pid)
  in_box systemctl reload zokiod
  ctl health
  [[ $(main_pid) == "$pid" ]] || fail "reload changed the process"
}

check_drain() {
  note "stop drains"
  ctl submit synthetic.spawn tasks=2000000 >/dev/null
  in_box systemctl stop zokiod.socket zokiod.service
  [[ $(in_box systemctl show -P Result zokiod) == success ]] || fail "the stop was not clean"
  journal_says 'drained: 1 finished' || fail "the running job did not end in the drain"
  in_box systemctl start zokiod.socket zokiod.service
  wait_for 60 "active again" active
  check_job_kept
}

make_tree
install_product
boot
check_units
check_serves
check_socket_activation
check_watchdog
check_sigkill
check_reload
check_drain
echo "passed"

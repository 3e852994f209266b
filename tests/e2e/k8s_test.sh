#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: k8s_test.sh BUILD_DIR
#
# The sidecar manifest, without a cluster. First on paper: its fields against the Kubernetes models,
# and the rules no schema knows. Then for real: an image is made of the installed build, podman plays
# the manifest as a pod, and the application submits to the sidecar over the shared socket; the
# probes answer, a crash of the sidecar loses nothing, and preStop's drain ends it cleanly.
#
# ZOKIO_E2E_DOCKERFILE=1 makes the image by deploy/k8s/Dockerfile instead, which builds everything.
set -euo pipefail
build=$(readlink -f "${1:?usage: k8s_test.sh BUILD_DIR}")
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/e2e/lib.sh
source "$source_dir/tests/e2e/lib.sh"
manifest=$source_dir/deploy/k8s/sidecar.yaml
tools=$source_dir/tests/e2e/k8s

python3 -c 'import yaml' 2>/dev/null || skip "needs python3-yaml: ./dev deps --e2e"

check_paper() {
  note "manifest: rules"
  "$tools/check_manifest.py" "$manifest" || fail "the manifest breaks a rule"
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    note "manifest: models not checked, there is no node and npm here"
    return
  fi
  note "manifest: models"
  local modules=$build/e2e/k8s-models
  mkdir -p "$modules"
  cp "$tools/package.json" "$modules/"
  if [[ ! -d $modules/node_modules/@kubernetes/client-node ]]; then
    (cd "$modules" && npm install --no-audit --no-fund --ignore-scripts --silent >/dev/null 2>&1) || {
      note "manifest: models not checked, npm could not fetch them"
      return
    }
  fi
  node "$tools/check_models.mjs" "$modules" "$manifest" || fail "the manifest does not fit the models"
  sed 's/terminationGracePeriodSeconds/terminationGracePeriod/' "$manifest" >"$modules/misspelt.yaml"
  ! node "$tools/check_models.mjs" "$modules" "$modules/misspelt.yaml" >/dev/null ||
    fail "a misspelt field went unnoticed"
}

check_paper
need_root
need_tools podman buildah runc mmdebstrap curl
[[ -x $build/bin/zokiod && -x $build/bin/zokioctl ]] || fail "no zokiod and zokioctl in $build/bin"

suite=$(debian_suite) || exit $?
mirror=$(debian_mirror "$suite") || exit $?
work=$(mktemp -d /var/tmp/zokio-pod.XXXXXX)
image=localhost/zokiod:test
pod=zokio-test

# Limits no higher than ours: raising them needs a capability that containers often lack.
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$work/containers.conf
# crun refuses a machine with both cgroup versions, runc does not; the storage is our own.
store=(--root "$work/storage" --runroot "$work/run")
podman() { command podman "${store[@]}" --runtime runc "$@"; }

clean_up() {
  local status=$?
  if [[ $status -ne 0 && $status -ne 77 ]]; then
    podman logs "$pod-zokiod" 2>&1 | tail -n 40 || true
    podman logs "$pod-app" 2>&1 | tail -n 20 || true
  fi
  podman pod rm -f -t 5 "$pod" >/dev/null 2>&1 || true
  podman volume rm -f -a >/dev/null 2>&1 || true
  command podman "${store[@]}" unshare true >/dev/null 2>&1 || true
  umount "$work/storage/overlay" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

base_tree() {
  local packages
  packages=$("$source_dir/deploy/runtime-packages.sh" "$build/bin/zokiod" "$build/bin/zokioctl" | paste -sd, -)
  base=$build/e2e/image-$suite-$(cksum <<<"$packages" | cut -d' ' -f1).tar
  if [[ ! -s $base ]]; then
    mkdir -p "$build/e2e"
    mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$base.part" --format=tar "$mirror" \
      2>"$work/mmdebstrap.log" || {
      tail -n 5 "$work/mmdebstrap.log"
      skip "the Debian mirror $mirror gave no tree"
    }
    mv "$base.part" "$base"
  fi
}

image_of_build() {
  note "image of the installed build"
  base_tree
  podman import --quiet "$base" localhost/zokio-base:test >/dev/null
  DESTDIR="$work/tree" cmake --install "$build" --prefix /usr --component daemon --strip >/dev/null
  cat >"$work/Dockerfile" <<'DOCKERFILE'
FROM localhost/zokio-base:test
RUN echo 'zokio:x:65532:65532:zokio:/var/lib/zokio:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'zokio:x:65532:' >> /etc/group \
 && install -d -o 65532 -g 65532 -m 0770 /run/zokio /var/lib/zokio /data
COPY usr/bin/ /usr/bin/
USER 65532:65532
ENTRYPOINT ["/usr/bin/zokiod"]
DOCKERFILE
  buildah "${store[@]}" bud --quiet --isolation chroot -f "$work/Dockerfile" -t "$image" "$work/tree" >/dev/null
}

image_of_dockerfile() {
  note "image of deploy/k8s/Dockerfile"
  mmdebstrap --quiet --variant=minbase "$suite" "$work/minbase.tar" "$mirror"
  podman import --quiet "$work/minbase.tar" localhost/debian:test >/dev/null
  mkdir -p "$HOME/.cache/ccache"
  buildah "${store[@]}" bud --isolation chroot --build-arg BASE=localhost/debian:test \
    --volume "$HOME/.cache/ccache:/root/.cache/ccache" \
    -f "$source_dir/deploy/k8s/Dockerfile" -t "$image" "$source_dir" >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log"
    fail "the Dockerfile does not build"
  }
}

app_is_done() { grep -q 'the sidecar did the job' <<<"$(podman logs "$pod-app" 2>&1)"; }
probe() { curl -fsS -o /dev/null "http://127.0.0.1:$port/$1"; }
sidecar_ctl() { podman exec "$pod-zokiod" zokioctl "$@"; }
restarted() { [[ $(podman inspect -f '{{.RestartCount}}' "$pod-zokiod") -ge 1 ]]; }
count_succeeded() { sidecar_ctl -o json job list | grep -c \"succeeded\"; }

run_pod() {
  note "pod"
  port=$(free_port)
  "$tools/check_manifest.py" "$manifest" --pod --image "$image" --name "$pod" --host-port "$port" >"$work/pod.yaml"
  podman kube play "$work/pod.yaml" >"$work/play.log" 2>&1 || {
    cat "$work/play.log"
    fail "podman could not play the pod"
  }
  wait_for 60 "livez" probe livez
  wait_for 60 "readyz" probe readyz
  wait_for 60 "the application's job" app_is_done
  podman logs "$pod-app" 2>&1 | tail -n 5
}

check_confined() {
  sidecar_ctl version
  note "confined: uid 65532, no capabilities, read-only root"
  [[ $(podman exec "$pod-zokiod" id -u) == 65532 ]] || fail "the sidecar is not uid 65532"
  podman exec "$pod-zokiod" grep -q '^CapEff:[[:space:]]*0000000000000000$' /proc/1/status || fail "capabilities are left"
  ! podman exec "$pod-zokiod" touch /usr/bin/x 2>/dev/null || fail "the root is writable"
}

check_crash() {
  note "crash of the sidecar: restarted, the job is still there"
  local before
  before=$(count_succeeded)
  [[ $before -ge 1 ]] || fail "no job succeeded"
  kill -KILL "$(podman inspect -f '{{.State.Pid}}' "$pod-zokiod")"
  wait_for 60 "restart of the sidecar" restarted
  wait_for 60 "readyz after the crash" probe readyz
  [[ $(count_succeeded) -ge $before ]] || fail "a job was lost"
}

check_drain() {
  note "preStop: drain"
  local command
  command=$(python3 -c '
import sys, yaml
d = next(d for d in yaml.safe_load_all(open(sys.argv[1])) if d["kind"] == "Deployment")
print(" ".join(d["spec"]["template"]["spec"]["initContainers"][0]["lifecycle"]["preStop"]["exec"]["command"]))' "$manifest")
  # shellcheck disable=SC2086
  podman exec "$pod-zokiod" $command || fail "preStop failed: $command"
  ! probe readyz 2>/dev/null || fail "ready after the drain"
  podman stop -t 30 "$pod-zokiod" >/dev/null
  [[ $(podman inspect -f '{{.State.ExitCode}}' "$pod-zokiod") == 0 ]] || fail "the sidecar did not end with 0"
}

if [[ ${ZOKIO_E2E_DOCKERFILE:-} == 1 ]]; then image_of_dockerfile; else image_of_build; fi
run_pod
check_confined
check_crash
check_drain
echo "passed"

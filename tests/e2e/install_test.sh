#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: install_test.sh BUILD_DIR
# The installed library is complete: a project outside this tree finds it, links it and runs.
set -euo pipefail
build=$(readlink -f "${1:?usage: install_test.sh BUILD_DIR}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/lib.sh
source "$here/lib.sh"
need_tools clang++-19 cmake ninja

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" --component runtime >/dev/null
cmake -S "$here/consumer" -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 \
  -DCMAKE_PREFIX_PATH="$work/usr" -DCMAKE_BUILD_TYPE=RelWithDebInfo >"$work/log" 2>&1 &&
  cmake --build "$work/build" >>"$work/log" 2>&1 || { tail -n 30 "$work/log"; fail "the consumer does not build"; }
"$work/build/consumer" || fail "the consumer does not run"
library=$(find "$work/usr" -name libzokio-malloc.so)
LD_PRELOAD=$library "$work/build/consumer" || fail "the consumer does not run on libzokio-malloc.so"

# Nothing of our private headers, nothing of this machine.
[[ -z $(find "$work/usr/include" -path '*/src/*') ]] || fail "private headers were installed"
! grep -rqF "$build" "$work/usr/lib" --include='*.cmake' || fail "the package names the build directory"
echo "passed"

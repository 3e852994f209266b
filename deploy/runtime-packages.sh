#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: runtime-packages.sh BINARY...
# Prints the Debian packages that hold the shared libraries of these binaries, one per line.
# Images and test trees install this list, so that it never falls behind the link line.
set -euo pipefail

libraries() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u
}

libraries "$@" | while read -r library; do
  # dpkg knows the file by its name before or after the merge of /lib and /usr/lib.
  real=$(readlink -f "$library")
  dpkg-query -S "$library" "/usr$library" "$real" "${real#/usr}" 2>/dev/null | head -n 1 | cut -d: -f1 || true
done | sort -u

# SPDX-License-Identifier: Apache-2.0
"""How the benchmarks build their Rust programs."""

import re
import shutil
import subprocess
from pathlib import Path

REGISTRY = Path("/usr/share/cargo/registry")


def build(program, where):
    """The path of what `program`, a folder with a Cargo.toml, builds. Beside the results: sources and lock file stay
    out of the tree. Offline, from Debian's packaged crates."""
    source, home = where / "source", where / "cargo"
    shutil.copytree(program, source, dirs_exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{REGISTRY}"\n')
    # Debian's compiler and crates, also where another Rust comes first in the PATH.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "CARGO_HOME": str(home), "RUSTC": "/usr/bin/rustc",
           "CARGO_TARGET_DIR": str(where / "target")}
    done = subprocess.run(["/usr/bin/cargo", "build", "--offline", "--release", "--quiet"], cwd=source, env=env,
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"cargo: {done.stderr[-3000:]}\nmissing packages? ./dev deps --bench")
    name = re.search(r'^name = "(.+)"$', (program / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    return where / "target" / "release" / name

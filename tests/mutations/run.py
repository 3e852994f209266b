#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts known bugs back, one at a time, and requires that the tests find each.

A test that cannot fail proves nothing. Each *.patch here undoes one decision of the runtime; its
head names the tests that must then fail:

    tests: <target> [<target>...]     each of them fails
    env: NAME=value [...]             for these runs (a number of seeds, usually)

The runner copies the tree to a scratch folder, builds the named targets there, runs them as they
are (they must pass), and then once with each patch (they must fail; a patch that does not apply or
does not compile is an error of its own). Only what a patch touches is built again.

    tests/mutations/run.py [--scratch DIR] [--patches DIR] [name...]
"""

import argparse
import filecmp
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "runtime", "tests", "deploy")
# Enough for every test on a loaded machine; a mutant that hangs has been found, too.
TIMEOUT = 600


class Mutation:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.tests, self.env = [], {}
        for line in path.read_text().splitlines():
            if line.startswith("tests:"):
                self.tests = line.split()[1:]
            elif line.startswith("env:"):
                self.env = dict(pair.split("=", 1) for pair in line.split()[1:])
            elif line.startswith("--- "):
                break
        if not self.tests:
            sys.exit(f"{path}: no line 'tests:'")


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def must(command, what, **options):
    done = run(command, **options)
    if done.returncode != 0:
        sys.exit(f"{what} failed:\n{done.stdout[-4000:]}")


def copy_changed(source, target):
    """Leaves a file alone that is the same, so that a kept scratch folder builds only what changed."""
    if not (os.path.exists(target) and filecmp.cmp(source, target, shallow=False)):
        shutil.copyfile(source, target)


def copy_tree(scratch):
    for name in COPIED:
        source, target = ROOT / name, scratch / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, copy_function=copy_changed,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy_changed(source, target)


def build(scratch, targets):
    return run(["ninja", "-C", str(scratch / "build"), "-j2", *targets])


def passes(scratch, test, env):
    """Whether the test passes, how long it took, and the end of what it said."""
    start = time.monotonic()
    try:
        done = run([str(scratch / "build/bin" / test), "--gtest_brief=1", "--gtest_fail_fast"],
                   env={**os.environ, **env}, timeout=TIMEOUT)
        return done.returncode == 0, time.monotonic() - start, done.stdout
    except subprocess.TimeoutExpired:
        return False, time.monotonic() - start, f"no end after {TIMEOUT} s"


def symptom(text):
    """The line that says what was found."""
    signs = ("does not hold", "data race", "freed", "deadlock", "livelock", "no end", "memory is left",
             "fatal:", "reproduce", "Failure")
    for sign in signs:
        for line in text.splitlines():
            if sign in line:
                return line.strip()[:150]
    return "ended with an error"


def check(scratch, mutation):
    """The reason why the mutation is not found; None when it is."""
    applied = run(["patch", "-p1", "-F3", "--no-backup-if-mismatch", "-i", str(mutation.path)], cwd=scratch)
    if applied.returncode != 0:
        return f"the patch does not apply:\n{applied.stdout}"
    try:
        built = build(scratch, mutation.tests)
        if built.returncode != 0:
            return f"the mutant does not compile:\n{built.stdout[-3000:]}"
        for test in mutation.tests:
            passed, seconds, text = passes(scratch, test, mutation.env)
            if passed:
                return f"{test} passes ({seconds:.1f} s)"
            print(f"  {mutation.name}: {test} fails after {seconds:.1f} s: {symptom(text)}", flush=True)
        return None
    finally:
        must(["patch", "-p1", "-R", "-F3", "--no-backup-if-mismatch", "-i", str(mutation.path)],
             f"taking {mutation.name} back", cwd=scratch)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", type=pathlib.Path, help="kept; default: a temporary folder")
    parser.add_argument("--patches", type=pathlib.Path, default=HERE)
    parser.add_argument("names", nargs="*", help="only these")
    arguments = parser.parse_args()
    mutations = [Mutation(p) for p in sorted(arguments.patches.glob("*.patch"))]
    if arguments.names:
        mutations = [m for m in mutations if m.name in arguments.names]
    if not mutations:
        sys.exit("no such mutation")
    if shutil.which("patch") is None:
        print("skipped: there is no patch(1)")
        return 77
    with tempfile.TemporaryDirectory(prefix="zokio-mutations-") as temporary:
        scratch = (arguments.scratch or pathlib.Path(temporary)).resolve()
        scratch.mkdir(parents=True, exist_ok=True)
        copy_tree(scratch)
        must(["cmake", "--preset", "release", "-B", "build", "-DZOKIO_DAEMON=OFF"], "cmake", cwd=scratch)
        return judge(scratch, mutations)


def judge(scratch, mutations):
    targets = sorted({test for m in mutations for test in m.tests})
    built = build(scratch, targets)
    if built.returncode != 0:
        sys.exit(f"the unpatched tree does not build:\n{built.stdout[-4000:]}")
    clean = sorted({(test, tuple(sorted(m.env.items()))) for m in mutations for test in m.tests})
    for test, env in clean:
        passed, seconds, text = passes(scratch, test, dict(env))
        if not passed:
            sys.exit(f"{test} fails without any patch:\n{text[-4000:]}")
        print(f"  unpatched: {test} passes ({seconds:.1f} s)", flush=True)
    missed = 0
    for mutation in mutations:
        reason = check(scratch, mutation)
        if reason is not None:
            missed += 1
            print(f"MISSED {mutation.name}: {reason}", flush=True)
    print(f"{len(mutations) - missed} of {len(mutations)} mutations found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

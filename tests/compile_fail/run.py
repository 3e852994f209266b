#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every case twice: with ZOKIO_FAIL it is refused with the message that its `// expect:`
line names, without it compiles. The second half keeps the first honest: a case that is broken for
another reason proves nothing.

    run.py --compiler CXX --include DIR --cases DIR [--jobs N] -- FLAGS...
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def expectation(path):
    for line in path.read_text().splitlines()[:3]:
        if line.startswith("// expect: "):
            return line.removeprefix("// expect: ")
    return None


def base_command(args):
    return [args.compiler, "-std=c++23", "-Wall", "-Werror", "-ferror-limit=0", *args.flags,
            *(f"-I{d}" for d in args.include)]


def precompile(args, folder):
    """The header that all cases begin with, read once: that is two thirds of the time."""
    header = Path(args.include[0]) / "zokio" / "zokio.h"
    out = Path(folder) / "zokio.pch"
    subprocess.run([*base_command(args), "-x", "c++-header", str(header), "-o", str(out)],
                   check=True, timeout=120)
    return out


def compile_case(args, path, fail):
    command = [*base_command(args), "-include-pch", str(args.pch), "-fsyntax-only",
               *(["-DZOKIO_FAIL"] if fail else []), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


def check(args, path):
    """What is wrong with one case; empty when nothing is."""
    wanted = expectation(path)
    if wanted is None:
        return f"{path.name}: no line `// expect: message`"
    code, output = compile_case(args, path, fail=False)
    if code != 0:
        return f"{path.name}: does not compile as it should:\n{output}"
    code, output = compile_case(args, path, fail=True)
    if code == 0:
        return f"{path.name}: compiles, and should be refused with: {wanted}"
    errors = [line for line in output.splitlines() if "error:" in line]
    if not any(wanted in line for line in errors):
        return f"{path.name}: refused, but not with: {wanted}\n" + "\n".join(errors)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--include", action="append", required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("flags", nargs="*")
    args = parser.parse_args()
    cases = sorted(args.cases.glob("*.cpp"))
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        args.pch = precompile(args, folder)
        faults = [fault for fault in pool.map(lambda case: check(args, case), cases) if fault]
    for fault in faults:
        print(fault)
    print(f"compile_fail: {len(cases)} cases, {len(faults)} wrong", file=sys.stderr)
    return 1 if faults or not cases else 0


if __name__ == "__main__":
    sys.exit(main())

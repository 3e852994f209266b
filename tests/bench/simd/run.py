#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench simd: the batch kernels in GB/s, every variant the processor runs.

    run.py --bin DIR --out FILE [--runs N] [--quick]

Beside them stands what the C library has for the same task (memset, memcmp, a loop of memchr), where
it has something. Each round is a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
import results

SIZES = ["64B", "4KiB", "256KiB", "64MiB"]


def measure(program):
    """{(kernel and variant): GB/s by size}"""
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"bench_simd: exit {done.returncode} {done.stderr}")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    return {" ".join(row[:-len(SIZES)]): [float(x) for x in row[-len(SIZES):]] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="one round, to try the benchmark itself")
    arguments = parser.parse_args()
    runs = arguments.runs or (1 if arguments.quick else 5)
    env = results.environment({"glibc": "libc6", "xxhash": "libxxhash-dev"})
    samples = {}
    for _ in range(runs):
        for name, values in measure(arguments.bin / "bench_simd").items():
            for size, value in zip(SIZES, values):
                samples.setdefault(name, {}).setdefault(size, []).append(value)

    env["load_average_after"] = results.load()
    new = [results.record(f"simd/{name.rpartition(' ')[0]}/{size}", name.rpartition(" ")[2], "GB/s", values, env)
           for name, sizes in samples.items() for size, values in sizes.items()]
    results.save(arguments.out, new, "simd/", whole=True)

    print(f"{results.headline(env)}, {runs} runs, GB/s")
    print(f"{'':28}" + "".join(f"{size:>10}" for size in SIZES))
    for name, sizes in samples.items():
        print(f"{name:28}" + "".join(f"{statistics.median(sizes[size]):10.2f}" for size in SIZES))


if __name__ == "__main__":
    main()

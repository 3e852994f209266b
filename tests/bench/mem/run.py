#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench mem: the runtime's memory beside glibc, mimalloc, jemalloc and tcmalloc.

    run.py --bin DIR --out FILE [--runs N] [--quick] [--only REGEX] [--peers mimalloc,jemalloc,tcmalloc]

Every measurement is a process of its own, given a workload and a number of threads. The packaged
allocators and libzokio-malloc.so, when it is built, go under one program by LD_PRELOAD; the inline
entries of the runtime, the floor and the control are programs of their own. In each round all
implementations of a workload run one after the other, in an order that turns from round to round.
A block that is not as it was written ends the benchmark. README.md says what each workload is.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import replays
import rows

sys.path.append(str(Path(__file__).resolve().parent.parent))
import results

PRELOADS = {"mimalloc": "libmimalloc.so", "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
PACKAGES = {"glibc": "libc6", "mimalloc": "libmimalloc-dev", "jemalloc": "libjemalloc2",
            "tcmalloc": "libtcmalloc-minimal4", "clang": "clang-19"}


class Program:
    """One implementation: how it is called, and which workloads it has."""

    def __init__(self, impl, binary, preload=""):
        self.impl, self.binary = impl, binary
        self.env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        if preload:
            self.env["LD_PRELOAD"] = preload
            # The loader only warns about a preload that it cannot find.
            whose = Path(self.call("whose").stdout.strip())
            if not whose.name.startswith(Path(preload).name):
                raise SystemExit(f"{impl}: malloc comes from {whose}, not from {preload}; ./dev deps --bench")
        self.workloads = set(self.call("list").stdout.split())

    def call(self, *argv):
        return subprocess.run([self.binary, *argv], env=self.env, capture_output=True, text=True, timeout=120)

    def measure(self, workload, threads, ms):
        """What one fresh process measured: {workload or a part of it: (value, unit)}."""
        try:
            done = self.call(workload, str(threads), "--ms", str(ms))
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{self.impl} {workload} t{threads}: not done after 120 s") from None
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0 or not lines or not all(line["checksum_ok"] for line in lines):
            raise SystemExit(f"{self.impl} {workload} t{threads}: exit {done.returncode} {done.stderr.strip()} "
                             f"{done.stdout.strip()}")
        return {line["workload"]: (line["value"], line["unit"]) for line in lines}


def zokio_malloc(bin_dir):
    """The newest libzokio-malloc.so of this build, or None."""
    found = sorted(bin_dir.parent.rglob("libzokio-malloc.so"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


def programs(bin_dir, peers):
    through_malloc = bin_dir / "bench_mem_malloc"
    found = [Program("glibc", through_malloc)]
    found += [Program(peer, through_malloc, PRELOADS[peer]) for peer in peers]
    ours = zokio_malloc(bin_dir)
    if ours is not None:
        found.append(Program("zokio-malloc", through_malloc, str(ours)))
    return found + [Program(impl, bin_dir / f"bench_mem_{impl}") for impl in ("zokio", "floor", "control")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try the benchmark itself")
    parser.add_argument("--only", default="", help="regular expression over <workload>/<size>/t<N>")
    parser.add_argument("--peers", default=",".join(PRELOADS), help="beside glibc; empty: none")
    arguments = parser.parse_args()
    peers = [p for p in arguments.peers.split(",") if p]
    if set(peers) - set(PRELOADS):
        parser.error(f"peers are {', '.join(PRELOADS)}")
    runs = arguments.runs or (2 if arguments.quick else 10)
    all_programs = programs(arguments.bin.resolve(), peers)
    chosen = [(workload, threads) for workload, counts in rows.THREADS.items() for threads in counts
              if re.search(arguments.only, f"{workload}/t{threads}")]
    env = results.environment(PACKAGES)
    samples = results.run_rounds("mem/{}/t{}", all_programs, chosen, runs, 20 if arguments.quick else 50)
    env["load_average_after"] = results.load()
    new = [results.record(name, impl, unit, values, env) for (name, impl, unit), values in samples.items()]
    results.save(arguments.out, new, "mem/", whole=not arguments.only and len(peers) == len(PRELOADS))
    print(results.headline(env))
    rows.print_table(new)
    if not arguments.only:
        replays.print_tables(arguments.bin.resolve(), 2 if arguments.quick else 5)


if __name__ == "__main__":
    main()

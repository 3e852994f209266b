#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench sched: the scheduler beside Tokio, oneTBB, Asio and plain threads.

    run.py --bin DIR --out FILE [--runs N] [--quick] [--only REGEX] [--peers tokio,tbb,asio,threads]

Every measurement is a process of its own, given a workload and a number of workers. In each round
all implementations of a workload run one after the other, in an order that turns from round to
round. Tokio runs with glibc's malloc and under mimalloc, and the better median counts. The table
gives medians with the spread, the ratio to each peer, and whether the goal is reached. A checksum
that differs ends the benchmark. README.md says what each workload is.
"""

import argparse
import ctypes
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import rows

sys.path.append(str(Path(__file__).resolve().parent.parent))
import cargo
import results

HERE = Path(__file__).resolve().parent
PEERS = ["tokio", "tbb", "asio", "threads"]
PACKAGES = {"tokio": "librust-tokio-dev", "rustc": "rustc", "tbb": "libtbb-dev", "asio": "libasio-dev",
            "mimalloc": "libmimalloc-dev", "glibc": "libc6", "clang": "clang-19"}
MIMALLOC = "libmimalloc.so"


class Program:
    """One implementation: how it is called, and which workloads it has."""

    def __init__(self, impl, binary, preload=""):
        self.impl, self.binary = impl, binary
        self.env = dict(os.environ, LD_PRELOAD=preload) if preload else None
        if not binary.exists():
            raise SystemExit(f"no {binary}: built without its library? ./dev deps --bench")
        listed = subprocess.run([binary, "list"], capture_output=True, text=True, check=True)
        self.workloads = set(listed.stdout.split())

    def measure(self, workload, workers, ms):
        """What one fresh process measured: {workload or a part of it: (value, unit)}."""
        try:
            done = subprocess.run([self.binary, workload, str(workers), "--ms", str(ms)], env=self.env,
                                  capture_output=True, text=True, timeout=180)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{self.impl} {workload} w{workers}: not done after 180 s") from None
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode != 0 or not lines or not all(line["checksum_ok"] for line in lines):
            raise SystemExit(f"{self.impl} {workload} w{workers}: exit {done.returncode} {done.stderr.strip()} "
                             f"{done.stdout.strip()}")
        return {line["workload"]: (line["value"], line["unit"]) for line in lines}


def programs(bin_dir, peers, build_dir):
    found = [Program("zokio", bin_dir / "bench_sched_zokio")]
    if "tokio" in peers:
        try:
            ctypes.CDLL(MIMALLOC)  # the loader only warns about a preload that it cannot find
        except OSError:
            raise SystemExit(f"no {MIMALLOC}: ./dev deps --bench") from None
        binary = cargo.build(HERE / "tokio", build_dir / "tokio")
        found += [Program("tokio-glibc", binary), Program("tokio-mimalloc", binary, MIMALLOC)]
    found += [Program(peer, bin_dir / f"bench_sched_{peer}") for peer in ("tbb", "asio", "threads") if peer in peers]
    return found


def records(samples, env):
    new = [results.record(name, impl, unit, values, env) for (name, impl, unit), values in samples.items()]
    # Tokio's figure is the better of its two; both stay in the file.
    both = {}
    for record in new:
        if record["impl"].startswith("tokio-"):
            both.setdefault(record["name"], []).append(record)
    for pair in both.values():
        best = min(pair, key=lambda r: r["median"])
        new.append(dict(best, impl="tokio", env=dict(env, malloc=best["impl"].removeprefix("tokio-"))))
    return new


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try the benchmark itself")
    parser.add_argument("--only", default="", help="regular expression over <workload>/w<N>")
    parser.add_argument("--peers", default=",".join(PEERS), help="empty: none")
    arguments = parser.parse_args()
    peers = [p for p in arguments.peers.split(",") if p]
    if set(peers) - set(PEERS):
        parser.error(f"peers are {', '.join(PEERS)}")
    runs = arguments.runs or (2 if arguments.quick else 10)
    ms = 30 if arguments.quick else 60
    all_programs = programs(arguments.bin.resolve(), peers, arguments.out.parent.resolve())
    chosen = [(workload, workers) for workload, counts in rows.WORKERS.items() for workers in counts
              if any(workload in p.workloads for p in all_programs)
              and (workload == "control" or re.search(arguments.only, f"{workload}/w{workers}"))]
    env = results.environment(PACKAGES)
    samples = results.run_rounds("sched/{}/w{}", all_programs, chosen, runs, ms)
    env["load_average_after"] = results.load()
    new = records(samples, env)
    results.save(arguments.out, new, "sched/", whole=not arguments.only and len(peers) == len(PEERS))
    print(results.headline(env))
    rows.print_table(new, peers)


if __name__ == "__main__":
    main()

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
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import rows

HERE = Path(__file__).resolve().parent
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


def run_rounds(all_programs, chosen, runs, ms):
    """{(name, impl, unit): values}; name is mem/<workload>/<size>/t<N>."""
    samples = {}
    began = time.monotonic()
    for i in range(runs):
        for workload, threads in chosen:
            able = [p for p in all_programs if workload in p.workloads]
            turn = i % max(1, len(able))
            for program in able[turn:] + able[:turn]:
                for part, (value, unit) in program.measure(workload, threads, ms).items():
                    samples.setdefault((f"mem/{part}/t{threads}", program.impl, unit), []).append(value)
        print(f"round {i + 1} of {runs}, {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True)
    return samples


def output_of(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, cwd=HERE).stdout.strip()
    except OSError:
        return "unknown"


def read(path):
    return Path(path).read_text().strip() if Path(path).exists() else "none"


def environment():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    versions = {name: output_of("dpkg-query", "-W", "-f=${Version}", package) for name, package in PACKAGES.items()}
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
            "compiler": "clang 19 -O3", "versions": versions, "commit": output_of("git", "rev-parse", "--short", "HEAD"),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "load_average": [round(x, 2) for x in os.getloadavg()]}


def save(path, new, whole):
    """Keeps what other benchmarks wrote; replaces what this one measured."""
    old = json.loads(path.read_text()) if path.exists() else []
    measured = {(r["name"], r["impl"]) for r in new}
    stale = (lambda r: r["name"].startswith("mem/")) if whole else (lambda r: (r["name"], r["impl"]) in measured)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([r for r in old if not stale(r)] + new, indent=1) + "\n")


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
    env = environment()
    samples = run_rounds(all_programs, chosen, runs, 20 if arguments.quick else 50)
    env["load_average_after"] = [round(x, 2) for x in os.getloadavg()]
    new = [{"name": name, "impl": impl, "unit": unit, "median": statistics.median(values), "min": min(values),
            "max": max(values), "runs": len(values), "checksum_ok": True, "env": env}
           for (name, impl, unit), values in samples.items()]
    save(arguments.out, new, whole=not arguments.only and len(peers) == len(PRELOADS))
    print(f"{env['cpu']}, {env['cores']} cores, Linux {env['kernel']}, load {env['load_average'][0]} before and "
          f"{env['load_average_after'][0]} after\n" + ", ".join(f"{k} {v}" for k, v in env["versions"].items()))
    rows.print_table(new)


if __name__ == "__main__":
    main()

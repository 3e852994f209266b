#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench fiber: fibers beside the bare ones of Boost.Context.

    run.py --bin DIR --out FILE [--runs N] [--quick]

Each measurement is a process of its own, on one worker; the two take turns. Boost.Context is the
mechanism alone: it has no task, no scheduler and no cancellation, so it is the floor.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
import results

WORKLOADS = [
    ("ready", "ns", ["zokio"], "await of what is there already"),
    ("switch", "ns", ["zokio", "boost"], "leave the fiber and come back"),
    ("create", "ns", ["zokio", "boost"], "from the pool, run, end"),
    ("parked", "bytes", ["zokio", "boost"], "resident for each of 10,000 that wait"),
]


def measure(program, impl, workload):
    done = subprocess.run([program, impl, workload], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"{impl} {workload}: exit {done.returncode} {done.stdout}{done.stderr}")
    return json.loads(done.stdout)["value"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="two rounds, to try the benchmark itself")
    arguments = parser.parse_args()
    runs = arguments.runs or (2 if arguments.quick else 10)
    samples = {}
    env = results.environment({"boost": "libboost-context-dev"})
    for i in range(runs):
        for workload, unit, impls, _ in WORKLOADS:
            for impl in impls if i % 2 == 0 else reversed(impls):
                value = measure(arguments.bin / "fiber_bench", impl, workload)
                samples.setdefault((workload, unit, impl), []).append(value)

    env["load_average_after"] = results.load()
    new = [results.record(f"fiber/{workload}", impl, unit, values, env)
           for (workload, unit, impl), values in samples.items()]
    results.save(arguments.out, new, "fiber/", whole=True)

    print(f"{results.headline(env)}, {runs} runs")
    for workload, unit, impls, meaning in WORKLOADS:
        for impl in impls:
            r = next(r for r in new if r["name"] == f"fiber/{workload}" and r["impl"] == impl)
            print(f"{workload:8} {impl:6} {r['median']:9.1f} {unit:5} ({r['min']:.1f} to {r['max']:.1f})  {meaning}")


if __name__ == "__main__":
    main()

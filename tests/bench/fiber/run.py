#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench fiber: fibers beside the bare ones of Boost.Context.

    run.py --bin DIR --out FILE [--runs N] [--quick]

Each measurement is a process of its own, on one worker; the two take turns. Boost.Context is the
mechanism alone: it has no task, no scheduler and no cancellation, so it is the floor.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

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


def environment():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "compiler": "clang 19 -O3", "load_average": [round(x, 2) for x in os.getloadavg()]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="two rounds, to try the benchmark itself")
    arguments = parser.parse_args()
    runs = arguments.runs or (2 if arguments.quick else 10)
    samples = {}
    env = environment()
    for i in range(runs):
        for workload, unit, impls, _ in WORKLOADS:
            for impl in impls if i % 2 == 0 else reversed(impls):
                value = measure(arguments.bin / "fiber_bench", impl, workload)
                samples.setdefault((workload, unit, impl), []).append(value)

    new = [{"name": f"fiber/{workload}", "impl": impl, "unit": unit, "median": statistics.median(values),
            "min": min(values), "max": max(values), "runs": len(values), "checksum_ok": True, "env": env}
           for (workload, unit, impl), values in samples.items()]
    old = json.loads(arguments.out.read_text()) if arguments.out.exists() else []
    kept = [r for r in old if not r["name"].startswith("fiber/")]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(kept + new, indent=1) + "\n")

    print(f"{env['cpu']}, {env['cores']} cores, Linux {env['kernel']}, load {env['load_average'][0]}, {runs} runs")
    for workload, unit, impls, meaning in WORKLOADS:
        for impl in impls:
            r = next(r for r in new if r["name"] == f"fiber/{workload}" and r["impl"] == impl)
            print(f"{workload:8} {impl:6} {r['median']:9.1f} {unit:5} ({r['min']:.1f} to {r['max']:.1f})  {meaning}")


if __name__ == "__main__":
    main()

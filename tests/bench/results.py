# SPDX-License-Identifier: Apache-2.0
"""What every benchmark says of where it ran, and how its figures are kept: build/bench/results.json
is a list of {name, impl, unit, median, min, max, runs, checksum_ok, env}, shared by all of them.
"""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def output_of(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, cwd=HERE).stdout.strip()
    except OSError:
        return "unknown"


def read(path):
    return Path(path).read_text().strip() if Path(path).exists() else "none"


def environment(packages):
    """This machine now; `packages` are Debian's names by what the table calls them."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    versions = {name: output_of("dpkg-query", "-W", "-f=${Version}", package) for name, package in packages.items()}
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
            "compiler": "clang 19 -O3", "versions": versions, "commit": output_of("git", "rev-parse", "--short", "HEAD"),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "load_average": load()}


def load():
    return [round(x, 2) for x in os.getloadavg()]


def headline(env):
    """The machine in a line, and the peers' versions in another. Called when the rounds are over."""
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    return (f"{env['cpu']}, {env['cores']} cores, Linux {env['kernel']}, load {env['load_average'][0]} before and "
            f"{env['load_average_after'][0]} after" + (f"\n{versions}" if versions else ""))


def run_rounds(name, programs, chosen, runs, ms):
    """{(name, impl, unit): values}; `name` is a format of a workload, or a part of one, and a number of threads.
    Programs have `impl`, `workloads` and measure(); they take turns, in an order that turns from round to round."""
    samples = {}
    began = time.monotonic()
    for i in range(runs):
        for workload, threads in chosen:
            able = [p for p in programs if workload in p.workloads]
            turn = i % max(1, len(able))
            for program in able[turn:] + able[:turn]:
                for part, (value, unit) in program.measure(workload, threads, ms).items():
                    samples.setdefault((name.format(part, threads), program.impl, unit), []).append(value)
        print(f"round {i + 1} of {runs}, {time.monotonic() - began:,.0f} s", file=sys.stderr, flush=True)
    return samples


def record(name, impl, unit, values, env):
    return {"name": name, "impl": impl, "unit": unit, "median": statistics.median(values), "min": min(values),
            "max": max(values), "runs": len(values), "checksum_ok": True, "env": env}


def save(path, new, prefix, whole):
    """Keeps what other benchmarks wrote. Of those that begin with `prefix` it replaces all when the `whole` was
    measured, otherwise what is in `new`."""
    old = json.loads(path.read_text()) if path.exists() else []
    measured = {(r["name"], r["impl"]) for r in new}
    stale = (lambda r: r["name"].startswith(prefix)) if whole else (lambda r: (r["name"], r["impl"]) in measured)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([r for r in old if not stale(r)] + new, indent=1) + "\n")

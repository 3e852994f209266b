# SPDX-License-Identifier: Apache-2.0
"""The recorded traces of ./dev bench mem: how lots are sized, and what is left after a trim."""

import json
import lzma
import subprocess
import tempfile
from pathlib import Path

TRACES = Path(__file__).resolve().parent / "trace"
POLICIES = ["small", "large", "growing", "tuned"]


def call(binary, *argv):
    done = subprocess.run([binary, *argv], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"{binary} {' '.join(argv)}: exit {done.returncode} {done.stderr.strip()}")
    return json.loads(done.stdout)


def show(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def policies(binary, trace, name, runs):
    """The policies alternate; the best time of each, as what disturbs only adds to it."""
    found = {}
    for _ in range(runs):
        for policy in POLICIES:
            one = call(binary, trace, policy)
            found[policy] = min(found.get(policy, one), one, key=lambda each: each["ns"])
    return [(name, policy, f"{one['ns']:.2f}", f"{one['locks_per_1000']:.2f}", f"{one['cached_mean'] / 1024:,.0f}",
             f"{one['cached_most'] / 1024:,.0f}", f"{one['high_water'] / 1024:,.0f}")
            for policy, one in found.items()]


def steady(binary, trace, name):
    one = call(binary, trace, "steady")

    def percent(part):
        return f"{100 * part:.1f} %"

    def lost(state):
        return f"{percent(one[state]['fragmentation'])} ({percent(one[state]['with_rounding'])})"

    return (name, f"{percent(one['hit'])} ({one['hit_block']} B)", f"{percent(one['reuse'])} ({one['reuse_block']} B)",
            lost("churned"), lost("played"), lost("thinned"))


def print_tables(bin_dir, runs):
    binary = str(bin_dir / "bench_mem_replay")
    sized = [("trace", "lots", "ns", "locks per 1,000", "cached KiB, mean", "most", "high water KiB")]
    states = [("trace", "least hit rate", "least reuse", "churned", "played by half", "worst: 9 in 10 freed")]
    with tempfile.TemporaryDirectory() as directory:
        for packed in sorted(TRACES.glob("*.trace.xz")):
            name = packed.name.removesuffix(".trace.xz")
            trace = Path(directory) / name
            trace.write_bytes(lzma.decompress(packed.read_bytes()))
            sized += policies(binary, str(trace), name, runs)
            states.append(steady(binary, str(trace), name))
    print("\nTraces on the heap, one thread; an operation is an allocation or a free.\n")
    show(sized)
    print("\nAfter a trim: committed, but neither in use nor free by policy (and with what rounding to classes takes).\n"
          "Rates: the class that had the least, of those with 10,000 requests, over 2,000,000 replacements of 200,000\n"
          "live blocks of the trace's sizes.\n")
    show(states)

# SPDX-License-Identifier: Apache-2.0
"""The rows of ./dev bench io: which loads, with what goal; the table."""

# Workload: connections, bytes of a message.
ECHOES = {"echo_64x64": (64, 64), "echo_1x64": (1, 64), "echo_64x16k": (64, 16384), "echo_1000x64": (1000, 64)}
CHURN_BYTES = 64
IDLE_CONNECTIONS = 10_000
# Workload: direct or through the page cache, reads at a time, reads.
READS = {"read_1": (0, 1, 200_000), "read_32": (0, 32, 400_000), "read_128": (0, 128, 400_000),
         "read_direct_32": (1, 32, 20_000)}
WORKLOADS = [*ECHOES, "churn_64", "idle_10000", *READS, "tree"]

URING, EPOLL = "zokio-uring", "zokio-epoll"

# (measurement, ours): what we have to be, over which peers: a factor over the best of them.
GOALS = {
    **{(f"echo_{size}", URING): [(0.95, ["raw-uring"]), (1.3, ["tokio", "asio"])]
       for size in ("64x64", "64x16k", "1000x64")},
    **{(f"echo_{size}", EPOLL): [(1, ["asio", "uv", "tokio"])] for size in ("64x64", "64x16k", "1000x64", "1x64")},
    **{(f"echo_1x64_{part}", ours): [(1, ["asio", "uv", "tokio"])] for part in ("p50", "p99") for ours in (URING, EPOLL)},
    **{("churn_64", ours): [(1, ["asio", "uv", "tokio"])] for ours in (URING, EPOLL)},
    **{("idle_10000", ours): [(1, ["asio", "uv", "tokio"])] for ours in (URING, EPOLL)},
    **{(name, URING): [(0.95, ["fio", "raw-uring"])] for name in READS},
    **{("tree", ours): [(1, ["threads"])] for ours in (URING, EPOLL)},
}
# Our backends are compared with these when no goal is named, in this order of columns.
PEERS = ["raw-uring", "raw-epoll", "tokio", "asio", "uv", "fio", "pread", "threads"]


def better(unit, ours, theirs):
    """How many times better our value is."""
    return ours / theirs if unit == "1/s" else theirs / max(ours, 1e-9)


def said(value, unit):
    if unit == "1/s":
        return f"{value / 1000:,.1f} k/s"
    if unit == "bytes":
        return f"{value:,.0f} B"
    return f"{value / 1000:,.1f} us" if value >= 10_000 else f"{value:,.0f} ns"


def verdict(by, measurement, impl):
    """(goal, what came of it) for one of our backends."""
    ours = by.get((measurement, impl))
    goals = GOALS.get((measurement, impl))
    if ours is None or goals is None:
        return "", ""
    texts, results = [], []
    for factor, peers in goals:
        there = [by[measurement, p] for p in peers if (measurement, p) in by]
        texts.append(f"{factor:.3g} x {' and '.join(peers)}")
        if not there:
            results.append("no peer")
            continue
        least = min(better(ours["unit"], ours["median"], peer["median"]) for peer in there)
        results.append(f"{'WIN' if least >= factor else 'LOSS' if least >= 1 or factor <= 1 else 'LOSS, BEHIND'} "
                       f"({least:.2f})")
    return "; ".join(texts), "; ".join(results)


def print_table(new):
    by = {(r["name"].removeprefix("io/"), r["impl"]): r for r in new}
    measurements = sorted({name for name, _ in by}, key=lambda m: next(
        (i, m) for i, w in enumerate(WORKLOADS) if m == w or m.startswith(w + "_")))
    lines = [("workload", "impl", "median (min..max)", *PEERS, "goal", "verdict")]
    verdicts = []
    for measurement in measurements:
        for impl in (URING, EPOLL):
            ours = by.get((measurement, impl))
            if ours is None:
                continue
            unit = ours["unit"]
            cells = []
            for peer in PEERS:
                record = by.get((measurement, peer))
                cells.append("-" if record is None else f"{said(record['median'], unit)}, "
                             f"{better(unit, ours['median'], record['median']):.2f} x")
            goal, result = verdict(by, measurement, impl)
            verdicts += [r for r in result.split("; ") if r]
            lines.append((measurement, impl, f"{said(ours['median'], unit)} ({said(ours['min'], unit)}.."
                          f"{said(ours['max'], unit)})", *cells, goal, result))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    print()
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    print(f"\nA ratio above 1: zokio is better. {sum(v.startswith('WIN') for v in verdicts)} goals reached, "
          f"{sum(v.startswith('LOSS') for v in verdicts)} not.")

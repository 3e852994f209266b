# SPDX-License-Identifier: Apache-2.0
"""The rows of ./dev bench mem: which workloads, on how many threads, with what goal; the table."""

PACKAGED = ["glibc", "mimalloc", "jemalloc", "tcmalloc"]
OURS = ["zokio-malloc", "zokio"]

# Workload and size: numbers of threads it is measured on.
THREADS = {
    **{f"pair/{size}": (1, 2) for size in (16, 64, 256, 1024, 8192, 65536)},
    **{f"pair_fixed/{size}": (1,) for size in (16, 64, 256, 1024)},
    **{f"batch_{order}/{size}": (1, 2) for size in (64, 512) for order in ("lifo", "fifo", "random")},
    "slots/8-256": (1, 2), "slots/8-65536": (1, 2), "slots_touched/8-256": (1, 2), "slots_touched/8-65536": (1, 2),
    "cross/64": (2,), "cross/8-256": (2,), "cross/4096": (2,), "cross_batch/64": (2,), "cross_batch/8-256": (2,),
    "frame/32": (1, 2), "frame/544": (1, 2),
    "live_10k/8-256": (1,), "live_1m/8-256": (1,),
}


def goal(workload, size, impl):
    """What the measurement is compared with (`best` packaged allocator, one of them, or None for a
    limit by itself) and the most that we may be of it; or None."""
    if workload.startswith("live_") and workload.count("_") == 1 or workload.endswith("_churned"):
        return "jemalloc", 1.0
    if workload.endswith(("_left", "_trimmed")):
        return None
    if workload.endswith("_fill") or workload == "frame" and impl == "zokio-malloc":
        return "glibc", 1.0
    if impl == "zokio-malloc" or workload.startswith(("cross", "slots_touched")) or size in ("8192", "65536", "8-65536"):
        return "best", 1.0
    if workload == "pair_fixed":
        return None, 2.0
    if workload == "frame":
        return None, {"32": 5.0, "544": 7.0}[size]
    return "best", 0.7 if workload == "slots" else 0.6


def verdict(ours, compared, most):
    """`compared` is None for a limit by itself."""
    if ours <= most * (1 if compared is None else compared):
        return "WIN"
    return "LOSS" if compared is None or ours <= compared else "LOSS, BEHIND"


def number(value, unit):
    return f"{value:,.1f}{' %' if unit == 'bytes' else ''}"


def cell(record):
    if record is None:
        return "-"
    low, high = number(record["min"], "ns"), number(record["max"], record["unit"])
    return f"{number(record['median'], 'ns')} ({low}..{high})"


def judge(name, impl, of):
    """(cell, goal and what came of it) of one of ours; `of` gives the record of an implementation."""
    ours = of(impl)
    peers = [of(peer) for peer in PACKAGED if of(peer) is not None]
    if ours is None:
        return "-", "", ""
    best = min(peers, key=lambda r: r["median"], default=None)
    text = cell(ours)
    if best is not None and best["median"] > 0:
        text += f", {ours['median'] / best['median']:.2f} x best"
    _, workload, size, _ = name.split("/")
    wanted = goal(workload, size, impl)
    if wanted is None:
        return text, "", ""
    peer, most = wanted
    if peer is None:
        said, compared = f"<= {most:g} ns", None
    else:
        record = best if peer == "best" else of(peer)
        said = f"<= {most:g} x {peer}"
        if record is None:
            return text, said, "no peer"
        compared = record["median"]
    result = verdict(ours["median"], compared, most)
    glibc = of("glibc")
    if ours["unit"] == "ns" and glibc is not None and ours["median"] > glibc["median"]:
        result += ", SLOWER THAN GLIBC"
    return text, said, result


def order(name):
    _, workload, size, threads = name.split("/")
    known = list(THREADS)
    place = next(i for i, k in enumerate(known) if k.split("/")[1] == size and workload.startswith(k.split("/")[0]))
    exact = f"{workload}/{size}"
    return known.index(exact) if exact in known else place, name


def print_table(new):
    by = {(r["name"], r["impl"]): r for r in new}
    lines = [("workload", "control", "floor", *PACKAGED, "best packaged",
              *(head for impl in OURS for head in (impl, "goal", "verdict")))]
    verdicts = []
    for name in sorted({r["name"] for r in new}, key=order):
        def of(impl, row=name):
            return by.get((row, impl))
        control, floor = of("control"), of("floor")
        peers = {peer: of(peer)["median"] for peer in PACKAGED if of(peer)}
        best = min(peers, key=peers.get, default="-")
        share = f"{control['median']:.1f}, {100 * control['median'] / peers[best]:.0f} % of best" if control and peers else "-"
        judged = [judge(name, impl, of) for impl in OURS]
        verdicts += [(impl, said) for impl, (_, _, said) in zip(OURS, judged) if said]
        lines.append((name.removeprefix("mem/"), share, cell(floor), *(cell(of(peer)) for peer in PACKAGED), best,
                      *(text for three in judged for text in three)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    print()
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    print("\nns for each operation, median (min..max), less is better. live: resident bytes beyond what is live, for each 100\n"
          "that were asked for. control: the same loop without an allocator; floor: a bare free list of the thread.")
    for impl in OURS:
        said = [v for i, v in verdicts if i == impl]
        if said:
            print(f"{impl}: {said.count('WIN')} goals reached, {sum(v.startswith('LOSS') for v in said)} not, "
                  f"{sum('BEHIND' in v for v in said)} of those behind the peer; "
                  f"slower than glibc on {sum('GLIBC' in v for v in said)} rows.")
        else:
            print(f"{impl}: not measured")

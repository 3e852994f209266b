# SPDX-License-Identifier: Apache-2.0
"""The rows of ./dev bench sched: which workloads, on how many workers, with what goal; the table."""

# Workload: numbers of workers it is measured on.
WORKERS = {
    "control": (1,),
    "spawn_many_local": (1, 2), "spawn_many_worker": (1, 2), "spawn_join": (1, 2), "spawn_await_seq": (1, 2),
    "spawn_remote_idle": (1, 2), "spawn_remote_busy": (1, 2), "remote_roundtrip": (1, 2),
    "yield_many": (1, 2), "yield_one": (1, 2), "ping_pong": (1, 2), "chained_spawn": (1, 2),
    "fib_tasks": (1, 2), "skynet_tasks": (1, 2),
    "channel_1p1c": (1, 2), "channel_4p1c": (1, 2), "oneshot": (1, 2), "notify": (1, 2),
    "mutex": (1, 2), "mutex_4tasks": (1, 2), "semaphore": (1, 2),
    "timers": (1, 2), "timeout_cancel": (1, 2), "blocking_seq": (1, 2), "blocking_many": (1, 2),
    "parked_oneshot": (1,), "parked_notify": (1,), "parked_sleep": (1,),
    "call_await": (1, 2), "wake": (1, 2), "wake_busy": (2,), "idle_cpu": (8,),
    "fib": (1, 2), "skynet": (1, 2), "nqueens": (1, 2),
}

# Measurement: the peer that the goal is about, and how many times better than it we want to be.
GOALS = {
    **dict.fromkeys(["spawn_many_local", "spawn_many_worker", "spawn_join", "spawn_await_seq"], ("tokio", 5)),
    **dict.fromkeys(["spawn_remote_idle", "spawn_remote_busy"], ("tokio", 3)),
    "remote_roundtrip": ("tokio", 2), "yield_many": ("tokio", 3), "yield_one": ("tokio", 20),
    "ping_pong": ("tokio", 4), "chained_spawn": ("tokio", 4), "fib_tasks": ("tokio", 6), "skynet_tasks": ("tokio", 6),
    **dict.fromkeys(["channel_1p1c", "channel_4p1c", "oneshot", "notify", "mutex_4tasks"], ("tokio", 2)),
    "mutex": ("tokio", 3), "semaphore": ("tokio", 3), "timers": ("tokio", 5), "timeout_cancel": ("tokio", 5),
    "blocking_seq": ("tokio", 1.2), "blocking_many": ("tokio", 2),
    **dict.fromkeys(["parked_oneshot", "parked_notify", "parked_sleep"], ("tokio", 1 / 0.6)),
    **dict.fromkeys(["wake_p50", "wake_p99", "wake_p999", "wake_busy_p50", "wake_busy_p99", "wake_busy_p999"], ("tokio", 1)),
    **dict.fromkeys(["fib", "skynet", "nqueens"], ("tbb", 2)),
}

# Measurement: the value that we want to stay below, whatever a peer does, and how it is said.
LIMITS = {"timers_late": (5e6, "< 5 ms"), "idle_cpu": (5e6, "< 0.5 % of a core")}


def scale_of(record):
    if record["unit"] == "bytes":
        return 1, "B"
    return next(((size, unit) for size, unit in ((1e6, "ms"), (1e3, "us")) if record["median"] >= 10 * size), (1, "ns"))


def cell(record, spread=True):
    if record is None:
        return "-"
    size, unit = scale_of(record)
    values = [f"{record[key] / size:,.{0 if unit == 'B' else 1}f}" for key in ("median", "min", "max")]
    text = f"{values[0]} ({values[1]}..{values[2]}) {unit}" if spread else f"{values[0]} {unit}"
    return text + (f" {record['env']['malloc']}" if "malloc" in record["env"] else "")


def verdict(measurement, ours, of):
    """(goal, what came of it); `of` gives a peer's record or None."""
    if measurement in LIMITS:
        limit, text = LIMITS[measurement]
        return text, "WIN" if ours["median"] < limit else "LOSS"
    if measurement not in GOALS:
        return "", ""
    peer, factor = GOALS[measurement]
    if of(peer) is None:
        return f"{factor:.3g} x {peer}", "no peer"
    reached = of(peer)["median"] / ours["median"]
    return f"{factor:.3g} x {peer}", "WIN" if reached >= factor else "LOSS" if reached >= 1 else "LOSS, BEHIND"


def order(name):
    measurement = name.split("/")[1]
    known = list(WORKERS)
    base = max((w for w in known if measurement.startswith(w)), key=len, default=known[-1])
    return known.index(base), name


def print_table(new, peers):
    by = {(r["name"], r["impl"]): r for r in new}
    control = by["sched/control/w1", "zokio"]["median"]
    lines = [("workload", "zokio", *(f"{p}, ratio" for p in peers), "goal", "verdict")]
    verdicts = []
    for name in sorted({r["name"] for r in new if "/control/" not in r["name"]}, key=order):
        ours = by.get((name, "zokio"))
        cells = []
        for peer in peers:
            record = by.get((name, peer))
            ratio = f", {record['median'] / max(ours['median'], 1e-9):.2f} x" if record and ours else ""
            cells.append(cell(record, spread=peer in ("tokio", "tbb")) + ratio)
        if ours is None:
            goal, said = "", "we have none"
        elif ours["unit"] == "ns" and ours["median"] < 2 * control:
            goal, said = "", "not measured: within 2 x of the empty loop"
        else:
            goal, said = verdict(name.split("/")[1], ours, lambda peer, n=name: by.get((n, peer)))
        verdicts.append(said)
        lines.append((name.removeprefix("sched/"), cell(ours), *cells, goal, said))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    print()
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    wins = verdicts.count("WIN")
    print(f"\nmedian (min..max), less is better; a ratio above 1: zokio is better. The empty loop takes {control:.2f} ns.\n"
          f"{wins} goals reached, {sum(v.startswith('LOSS') for v in verdicts)} not, "
          f"{verdicts.count('LOSS, BEHIND')} of those behind the peer.")

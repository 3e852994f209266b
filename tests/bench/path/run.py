#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench path: durable jobs over gRPC, beside beanstalkd with fsync on every put.

    run.py --bin DIR --out FILE [--runs N] [--quick]

Both daemons are started anew for each round on the same disk, in an order that alternates, and
given the same work by the same program. The table gives medians with the spread, the ratio, and
who is ahead. A run whose jobs do not add up ends the benchmark.
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
import results

# name, mode of the client, clients, jobs in a run, what is taken from it
WORKLOADS = [
    ("path/submit/c1", "submit", 1, 200, "per_second"),
    ("path/submit/c64", "submit", 64, 2000, "per_second"),
    ("path/finish/c64", "finish", 64, 2000, "per_second"),
    ("path/roundtrip", "roundtrip", 1, 200, "latency"),
]
MEANING = {
    "path/submit/c1": "durable submits, 1 client (zokiod also runs the jobs, beanstalkd only stores them)",
    "path/submit/c64": "durable submits, 64 clients (the same)",
    "path/finish/c64": "submitted, run and recorded, 64 clients (beanstalkd: one worker reserves and deletes)",
    "path/roundtrip": "submit to result of an empty job, one client, idle daemon",
}


class Daemon:
    """A process in a directory of its own, ended by SIGTERM."""

    def __init__(self, argv, log, ready):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit(f"{argv[0]} did not start:\n{Path(log).read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(family, address):
    with socket.socket(family) as s:
        try:
            s.connect(address)
            return True
        except OSError:
            return False


def start_zokiod(bin_dir, work):
    run, state = work / "run", work / "state"
    run.mkdir(parents=True)
    state.mkdir()
    path = str(run / "zokiod.sock")
    config = work / "zokiod.toml"
    config.write_text("")
    argv = [str(bin_dir / "zokiod"), "--config", str(config), "--runtime-dir", str(run), "--state-dir", str(state),
            "--http", "127.0.0.1:0"]
    return Daemon(argv, work / "log", lambda: answers(socket.AF_UNIX, path)), ["--address", f"unix://{path}"]


def start_beanstalkd(work):
    binlog = work / "binlog"
    binlog.mkdir(parents=True)
    port = free_port()
    argv = ["beanstalkd", "-l", "127.0.0.1", "-p", str(port), "-b", str(binlog), "-f", "0"]
    return (Daemon(argv, work / "log", lambda: answers(socket.AF_INET, ("127.0.0.1", port))),
            ["--port", str(port)])


def measure(bin_dir, impl, mode, clients, jobs, where):
    done = subprocess.run([str(bin_dir / "path_client"), impl, mode, *where, "--clients", str(clients),
                           "--jobs", str(jobs)], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{impl} {mode}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)


def round_of(impl, bin_dir, work, quick, samples):
    shutil.rmtree(work, ignore_errors=True)
    daemon, where = start_zokiod(bin_dir, work) if impl == "zokio" else start_beanstalkd(work)
    try:
        for name, mode, clients, jobs, taken in WORKLOADS:
            got = measure(bin_dir, impl, mode, clients, max(clients, jobs // 10) if quick else jobs, where)
            if taken == "latency":
                samples.setdefault((f"{name}/p50", impl, "ns"), []).append(got["p50_ns"])
                samples.setdefault((f"{name}/p99", impl, "ns"), []).append(got["p99_ns"])
            else:
                samples.setdefault((name, impl, "1/s"), []).append(got["per_second"])
    finally:
        daemon.stop()
        shutil.rmtree(work, ignore_errors=True)


def environment(bin_dir, work):
    sync = measure(bin_dir, "disk", "sync", 1, 200, ["--dir", str(work)])
    return dict(results.environment({"beanstalkd": "beanstalkd"}),
                filesystem=filesystem(work), write_fdatasync_p50_ns=sync["p50_ns"])


def filesystem(path):
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = line.split()[:3]
        inside = str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def shown(value, unit):
    return f"{value / 1e3:,.0f} us" if unit == "ns" else f"{value:,.0f} /s"


def table(new):
    by = {(r["name"], r["impl"]): r for r in new}
    rows = [("workload", "zokio", "beanstalkd -f 0", "ratio")]
    for name in sorted({r["name"] for r in new}):
        ours, peer = by[name, "zokio"], by[name, "beanstalkd"]
        unit = ours["unit"]
        # Above 1 we are ahead, whatever the unit.
        ratio = peer["median"] / ours["median"] if unit == "ns" else ours["median"] / peer["median"]
        cells = [f"{shown(r['median'], unit)} ({shown(r['min'], unit)} .. {shown(r['max'], unit)})" for r in (ours, peer)]
        rows.append((name, *cells, f"{ratio:.2f} x {'ahead' if ratio >= 1 else 'BEHIND'}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print("\nmedian (min .. max); ratio above 1: zokio is better")
    for name, meaning in MEANING.items():
        print(f"  {name}: {meaning}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="a tenth of the jobs, to try the benchmark itself")
    arguments = parser.parse_args()
    if not shutil.which("beanstalkd"):
        raise SystemExit("no beanstalkd: ./dev deps --bench")
    # Beside the results, so that both daemons write to the disk the user has chosen to build on.
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="path-", dir=arguments.out.parent.resolve()))
    samples = {}
    try:
        env = environment(arguments.bin, work)
        for i in range(arguments.runs):
            order = ["zokio", "beanstalkd"] if i % 2 == 0 else ["beanstalkd", "zokio"]
            for impl in order:
                round_of(impl, arguments.bin, work / impl, arguments.quick, samples)
            print(f"round {i + 1} of {arguments.runs}", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    env["load_average_after"] = results.load()
    new = [results.record(name, impl, unit, values, env) for (name, impl, unit), values in samples.items()]
    results.save(arguments.out, new, "path/", whole=True)
    print(f"{results.headline(env)}\n{env['filesystem']}, write and fdatasync of 512 bytes "
          f"p50 {env['write_fdatasync_p50_ns'] / 1e3:,.0f} us")
    table(new)


if __name__ == "__main__":
    main()

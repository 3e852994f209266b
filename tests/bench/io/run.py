#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench io: echo servers and file reads beside io_uring and epoll by hand, Tokio, Asio, libuv and fio.

    run.py --bin DIR --out FILE [--runs N] [--quick] [--only REGEX]

A server is one process on one processor, the load (load.cpp) another on the other one, and every measurement has
fresh ones. In each round all implementations of a workload run one after the other, in an order that turns from
round to round. The load compares every byte; an answer that differs ends the benchmark. README.md says what each
workload is.
"""

import argparse
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rows

sys.path.append(str(Path(__file__).resolve().parent.parent))
import cargo
import results

HERE = Path(__file__).resolve().parent
PACKAGES = {"tokio": "librust-tokio-dev", "asio": "libasio-dev", "libuv": "libuv1-dev", "liburing": "liburing-dev",
            "fio": "fio", "clang": "clang-19"}
FILE_BYTES = 256 << 20


def bound(cpu):
    cpus = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})


def rss_of(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class Echo:
    """A server, and what the load says of it."""

    workloads = {*rows.ECHOES, "churn_64", "idle_10000"}

    def __init__(self, impl, binary, load, backend=""):
        self.impl, self.binary, self.load = impl, binary, load
        self.env = dict(os.environ, ZOKIO_BENCH_BACKEND=backend)
        if not binary.exists():
            raise SystemExit(f"no {binary}: built without its library? ./dev deps --bench")

    def measure(self, workload, _, ms):
        message = rows.ECHOES.get(workload, (0, rows.CHURN_BYTES))[1]
        with subprocess.Popen([self.binary, "echo", str(message)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=self.env, text=True, preexec_fn=bound(0)) as server:
            try:
                port = json.loads(server.stdout.readline())["port"]
                if workload == "idle_10000":
                    return {workload: (self.idle(server, port), "bytes")}
                if workload in rows.ECHOES:
                    said = self.run_load("echo", port, *rows.ECHOES[workload], ms)
                else:
                    said = self.run_load("churn", port, rows.CHURN_BYTES, ms)
                used = json.loads(server.communicate(timeout=20)[0])
            finally:
                server.kill()
        return {workload: (said["per_second"], "1/s"),
                **{f"{workload}_{part}": (said[part], "ns") for part in ("p50", "p99", "p999")},
                f"{workload}_cpu": (used["cpu_ns"] / said["total"], "ns")}

    def run_load(self, *arguments):
        done = subprocess.run([self.load, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              preexec_fn=bound(1))
        if done.returncode != 0:
            raise SystemExit(f"{self.impl} {arguments}: the load ended with {done.returncode} {done.stderr.strip()}")
        return json.loads(done.stdout)

    def idle(self, server, port):
        """Bytes of memory of the server for each connection that does nothing."""
        time.sleep(0.2)
        before = rss_of(server.pid)
        with subprocess.Popen([self.load, "idle", str(port), str(rows.IDLE_CONNECTIONS)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, preexec_fn=bound(1)) as load:
            connected = json.loads(load.stdout.readline())["idle"]
            time.sleep(0.5)
            grown = rss_of(server.pid) - before
            load.stdin.close()
        return grown / connected


class Reads:
    """A program that reads the file."""

    workloads = set(rows.READS)

    def __init__(self, impl, binary, path, backend=""):
        self.impl, self.binary, self.path = impl, binary, path
        self.env = dict(os.environ, ZOKIO_BENCH_BACKEND=backend)

    def measure(self, workload, _, __):
        direct, depth, count = rows.READS[workload]
        done = subprocess.run([self.binary, "read", self.path, str(direct), str(depth), str(count)], env=self.env,
                              capture_output=True, text=True, timeout=120, preexec_fn=bound(0))
        if done.returncode != 0:
            raise SystemExit(f"{self.impl} {workload}: exit {done.returncode} {done.stderr.strip()}")
        return {workload: (json.loads(done.stdout)["ns_per_read"], "ns")}


class Fio:
    """fio's io_uring engine, with registered buffers and file, as it is fastest."""

    impl, workloads = "fio", set(rows.READS)

    def __init__(self, path):
        self.path = path

    def measure(self, workload, _, __):
        direct, depth, count = rows.READS[workload]
        done = subprocess.run(
            ["fio", "--name=reads", f"--filename={self.path}", "--rw=randread", "--bs=4k", "--ioengine=io_uring",
             "--fixedbufs=1", "--registerfiles=1", f"--iodepth={depth}", f"--iodepth_batch_submit={max(1, depth // 2)}",
             f"--iodepth_batch_complete_max={depth}", f"--direct={direct}", "--invalidate=0", "--norandommap",
             "--randrepeat=1", "--thread", f"--io_size={count * 4096}", f"--size={FILE_BYTES}", "--gtod_reduce=1",
             "--output-format=json"], capture_output=True, text=True, timeout=120, preexec_fn=bound(0))
        if done.returncode != 0:
            raise SystemExit(f"fio: {done.stderr.strip()}")
        read = json.loads(done.stdout)["jobs"][0]["read"]
        return {workload: (1e9 / read["iops"], "ns")}


class Tree:
    """A program that sums a tree of files up, on all processors."""

    workloads = {"tree"}

    def __init__(self, impl, binary, root, backend=""):
        self.impl, self.binary, self.root = impl, binary, root
        self.env = dict(os.environ, ZOKIO_BENCH_BACKEND=backend)

    sums = set()  # of all of them

    def measure(self, workload, _, __):
        done = subprocess.run([self.binary, "tree", self.root], env=self.env, capture_output=True, text=True,
                              timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"{self.impl} {workload}: exit {done.returncode} {done.stderr.strip()}")
        said = json.loads(done.stdout)
        self.sums.add(said["sum"])
        if len(self.sums) != 1:
            raise SystemExit(f"{self.impl} {workload}: another sum than the others': {self.sums}")
        return {workload: (said["files_per_second"], "1/s")}


def make_tree(root):
    """6,000 files in 50 directories: half of them up to 16 KiB, some up to 1 MiB, 450 MiB in all."""
    numbers = random.Random(1)
    for i in range(6000):
        directory = Path(root) / f"{i % 50:02}"
        directory.mkdir(exist_ok=True)
        size = int(1024 * 2 ** numbers.uniform(0, 10) if i % 2 else numbers.uniform(0, 16384))
        (directory / f"{i}").write_bytes(numbers.randbytes(size))


def make_file(path):
    """Blocks of 4 KiB that begin with their number, mixed: reads.h."""
    mask = (1 << 64) - 1
    with open(path, "wb") as out:
        for block in range(FILE_BYTES // 4096):
            z = (block + 0x9E3779B97F4A7C15) & mask
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
            out.write(struct.pack("<Q", z ^ (z >> 31)) + bytes(4088))
        out.flush()
        os.fsync(out.fileno())


def programs(bin_dir, build_dir, path, tree):
    load = bin_dir / "bench_io_load"

    def echo(impl, name, backend=""):
        return Echo(impl, bin_dir / f"bench_io_{name}", load, backend)

    return [echo(rows.URING, "zokio", "uring"), echo(rows.EPOLL, "zokio", "epoll"), echo("raw-uring", "raw_uring"),
            echo("raw-epoll", "raw_epoll"), Echo("tokio", cargo.build(HERE / "tokio", build_dir / "io_tokio"), load),
            echo("asio", "asio"), echo("uv", "uv"),
            Reads(rows.URING, bin_dir / "bench_io_zokio", path, "uring"),
            Reads(rows.EPOLL, bin_dir / "bench_io_zokio", path, "epoll"),
            Reads("raw-uring", bin_dir / "bench_io_raw_reads", path, "uring"),
            Reads("pread", bin_dir / "bench_io_raw_reads", path, "pread"), Fio(path),
            Tree(rows.URING, bin_dir / "bench_io_zokio_tree", tree, "uring"),
            Tree(rows.EPOLL, bin_dir / "bench_io_zokio_tree", tree, "epoll"),
            Tree("threads", bin_dir / "bench_io_tree_threads", tree)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--quick", action="store_true", help="two short rounds, to try the benchmark itself")
    parser.add_argument("--only", default="", help="regular expression over the workloads")
    parser.add_argument("--impl", default="", help="regular expression over the implementations")
    arguments = parser.parse_args()
    # 10,000 connections, and what else a process has open.
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, max(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    runs = arguments.runs or (2 if arguments.quick else 10)
    ms = 200 if arguments.quick else 500
    chosen = [(w, 1) for w in rows.WORKLOADS if re.search(arguments.only, w)]
    out = arguments.out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with (tempfile.NamedTemporaryFile(dir=out.parent, prefix="reads.") as file,
          tempfile.TemporaryDirectory(dir=out.parent, prefix="tree.") as tree):
        if ("tree", 1) in chosen:
            make_tree(tree)
        if any(w in rows.READS for w, _ in chosen):
            make_file(file.name)
        found = [p for p in programs(arguments.bin.resolve(), out.parent, file.name, tree)
                 if re.search(arguments.impl, p.impl)]
        env = results.environment(PACKAGES)
        samples = results.run_rounds("io/{}", found, chosen, runs, ms)
    env["load_average_after"] = results.load()
    new = [results.record(name, impl, unit, values, env) for (name, impl, unit), values in samples.items()]
    results.save(out, new, "io/", whole=not arguments.only and not arguments.impl)
    print(results.headline(env))
    rows.print_table(new)


if __name__ == "__main__":
    main()

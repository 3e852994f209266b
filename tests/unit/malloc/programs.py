#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of us, on libzokio-malloc.so: each must do what it does without.

    programs.py <library> <compiler> <source tree> [--long] [case ...]

A program that is not installed is skipped and named; when none is there the test is skipped.
"""

import argparse
import hashlib
import importlib.util
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time


class Failed(Exception):
    pass


class Context:
    def __init__(self, library: str, compiler: str, tree: pathlib.Path, long: bool):
        self.library, self.compiler, self.tree, self.long = library, compiler, tree, long

    def run(self, argv: list[str], preload: bool = True, timeout: int = 900, **options):
        env = dict(os.environ)
        if preload:
            env["LD_PRELOAD"] = self.library
        ran = subprocess.run(argv, env=env, capture_output=True, timeout=timeout, **options)
        if ran.returncode != 0:
            raise Failed(f"{argv[0]} ended with {ran.returncode}: {ran.stderr[-2000:]!r}")
        return ran.stdout

    def same(self, argv: list[str], **options) -> None:
        if self.run(argv, **options) != self.run(argv, preload=False, **options):
            raise Failed(f"{argv[0]} says something else than without")


def sqlite(c: Context) -> bool:
    """The shell on a script of generated rows, read in, indexed, and summed."""
    if shutil.which("sqlite3") is None:
        return False
    rows = 1_500_000 if c.long else 60_000
    script = ["CREATE TABLE t(a INTEGER, b TEXT, c BLOB);", "BEGIN;"]
    for i in range(rows):
        script.append(f"INSERT INTO t VALUES({i * 7919 % rows}, '{'x' * (i % 40)}{i}', x'{i:08x}');")
    script += ["COMMIT;", "CREATE INDEX i ON t(b, a);",
               "SELECT count(*), sum(a), sum(length(b)), max(hex(c)) FROM t;",
               "SELECT b FROM t ORDER BY b DESC LIMIT 50;"]
    c.same(["sqlite3", ":memory:"], input="\n".join(script).encode())
    return True


def python(c: Context) -> bool:
    """A part of Python's own tests, with its small objects from malloc as well."""
    if importlib.util.find_spec("test.test_list") is None:
        return False
    names = ["test_list", "test_dict", "test_set", "test_bytes", "test_deque", "test_thread"]
    if c.long:
        names += ["test_json", "test_re", "test_pickle", "test_array", "test_io", "test_queue",
                  "test_weakref", "test_gc", "test_xml_etree"]
    env = dict(os.environ, PYTHONMALLOC="malloc", LD_PRELOAD=c.library)
    ran = subprocess.run(["python3", "-m", "test", "-q", *names], env=env, capture_output=True,
                         timeout=900)
    if ran.returncode != 0:
        raise Failed(f"python3 -m test: {ran.stdout[-3000:].decode(errors='replace')}")
    return True


def compiler(c: Context) -> bool:
    """The compiler on one of our files: the same object, byte for byte."""
    sources = sorted((c.tree / "runtime/src").rglob("*.cpp"), key=lambda p: p.stat().st_size)
    source = sources[-1] if c.long else c.tree / "runtime/src/mem/pool.cpp"
    digests = []
    with tempfile.TemporaryDirectory() as directory:
        for preload in (True, False):
            out = os.path.join(directory, "out.o")
            c.run([c.compiler, "-std=c++23", "-O2", f"-I{c.tree}/runtime/include",
                   f"-I{c.tree}/runtime/src", "-c", str(source), "-o", out], preload=preload)
            digests.append(hashlib.sha256(pathlib.Path(out).read_bytes()).digest())
    if digests[0] != digests[1]:
        raise Failed("the compiler writes another object than without")
    return True


def redis(c: Context) -> bool:
    """redis-server under its own benchmark, with persistence, so that it forks."""
    if shutil.which("redis-server") is None or shutil.which("redis-benchmark") is None:
        return False
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", directory,
             "--appendonly", "yes", "--save", "1 1", "--enable-debug-command", "yes"],
            env=dict(os.environ, LD_PRELOAD=c.library), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        try:
            cli = ["redis-cli", "-p", port]
            for _ in range(100):
                if subprocess.run([*cli, "ping"], capture_output=True).stdout == b"PONG\n":
                    break
                time.sleep(0.1)  # a process that starts has no event to wait for
            requests = "200000" if c.long else "10000"
            c.run(["redis-benchmark", "-p", port, "-n", requests, "-r", "100000", "-d", "300", "-q",
                   "-t", "set,get,incr,lpush,lpop,sadd,hset,zadd,lrange_100,mset"], preload=False)
            c.run([*cli, "debug", "reload"], preload=False)
            if c.run([*cli, "memory", "doctor"], preload=False) == b"":
                raise Failed("redis-server does not answer")
            if server.poll() is not None:
                raise Failed(f"redis-server ended: {server.stderr.read()[-2000:]!r}")
        finally:
            server.terminate()
            if server.wait(timeout=60) not in (0, -15):
                raise Failed(f"redis-server ended with {server.returncode}")
    return True


CASES = {f.__name__: f for f in (sqlite, python, compiler, redis)}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("compiler")
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    args = parser.parse_args()
    context = Context(args.library, args.compiler, args.tree, args.long)
    ran = 0
    for name in args.cases or CASES:
        begin = time.monotonic()
        try:
            there = CASES[name](context)
        except (Failed, subprocess.TimeoutExpired) as error:
            print(f"{name}: FAILED: {error}")
            return 1
        ran += there
        print(f"{name}: {'ok' if there else 'skipped, not installed'}, "
              f"{time.monotonic() - begin:.1f} s", flush=True)
    return 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs each program of runtime/examples as its first lines say, and holds it to 80 lines.

run.py DIRECTORY_OF_PROGRAMS DIRECTORY_OF_SOURCES
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

LIMIT = 60  # seconds, for anything that is waited for


@contextlib.contextmanager
def server(program, *arguments):
    process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line
        yield process, int(line.rsplit(":", 1)[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def receive(client, count):
    data = b""
    while len(data) < count:
        part = client.recv(count - len(data))
        assert part, f"the end after {len(data)} of {count} bytes"
        data += part
    return data


def echo_and_probe(programs):
    with server(programs / "echo_server") as (process, port):
        with connect(port) as client:
            text = os.urandom(100_000)
            client.sendall(text)
            assert receive(client, len(text)) == text
            out = subprocess.run([programs / "latency_probe", "localhost", str(port), "50"],
                                 check=True, capture_output=True, text=True, timeout=LIMIT).stdout
            assert out.startswith("50 round trips: p50 "), out
            # With a client still there.
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=LIMIT) == 0
            assert client.recv(1) == b""


def file_server(programs):
    with tempfile.TemporaryDirectory() as directory:
        content = os.urandom(300_000)
        (pathlib.Path(directory) / "f").write_bytes(content)
        with server(programs / "file_server", directory) as (_, port), connect(port) as client:
            def ask(line):
                client.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += receive(client, 1)
                status = head.split(b"\r\n")[0].split(b" ", 1)[1].decode()
                return status, int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])

            # All over one connection.
            assert ask("GET /f") == ("200 OK", len(content))
            assert receive(client, len(content)) == content
            for path in ("/missing", "/../etc/passwd", "//etc/passwd", "/"):
                assert ask(f"GET {path}") == ("404 Not Found", 0), path
            assert ask("DELETE /f") == ("405 Method Not Allowed", 0)
            assert ask("GET /f") == ("200 OK", len(content))
            assert receive(client, len(content)) == content


def tree_checksum(programs):
    def sums(directory):
        return subprocess.run([programs / "tree_checksum", directory], check=True,
                              capture_output=True, text=True, timeout=LIMIT).stdout

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for directory in (one, two):
            for i in range(200):
                path = pathlib.Path(directory) / str(i % 7) / f"file-{i}"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(bytes([i]) * (i * i * 30))
        first = sums(one)
        assert first.endswith(" 200 files\n"), first
        assert sums(two) == first
        with open(pathlib.Path(two) / "3" / "file-3", "r+b") as file:
            file.write(b"!")
        assert sums(two) != first
    failed = subprocess.run([programs / "tree_checksum", one], capture_output=True, timeout=LIMIT)
    assert failed.returncode == 1, "a tree that is not there"


def chat(programs):
    with server(programs / "chat") as (_, port):
        with contextlib.ExitStack() as stack:
            people = [stack.enter_context(connect(port)) for _ in range(3)]
            # Each hears itself: so all are in.
            for i, person in enumerate(people):
                person.sendall(f"here {i}\n".encode())
                heard = b""
                while not heard.endswith(f"here {i}\n".encode()):
                    heard += receive(person, 1)
            people[0].sendall(b"hello\r\n")
            for person in people:
                heard = b""
                while not heard.endswith(b"hello\n"):
                    heard += receive(person, 1)


def main():
    programs, sources = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for source in sorted(sources.glob("*.cpp")):
        lines = len(source.read_text().splitlines())
        assert lines < 80, f"{source.name} has {lines} lines"
    for test in (echo_and_probe, file_server, tree_checksum, chat):
        test(programs)
        print(f"{test.__name__}: ok")


main()

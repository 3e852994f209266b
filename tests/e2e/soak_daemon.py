# SPDX-License-Identifier: Apache-2.0
"""A real zokiod in a directory of its own, for the Python tests here: start, talk to it, stop."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SKIPPED = 77
# A loaded machine, a sanitizer build.
START_SECONDS = 60
STOP_SECONDS = 120


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def need_tools(*names):
    for name in names:
        if shutil.which(name) is None:
            skip(f"needs {name}: ./dev deps --e2e")


def fail(reason):
    print(f"FAILED: {reason}", file=sys.stderr)
    sys.exit(1)


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(seconds, what, probe):
    """Polls `probe` until it returns something true, which is returned; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            fail(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def get(url):
    """(status, text); (0, "") when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (urllib.error.URLError, OSError):
        return 0, ""


class Zokiod:
    """with Zokiod(bin_dir, "--set", "...") as daemon: ..."""

    def __init__(self, bin_dir, *flags):
        self.bin_dir = bin_dir
        self.flags = flags
        self.directory = tempfile.mkdtemp(prefix="zokio-e2e-")
        self.data = os.path.join(self.directory, "data")
        for name in ("run", "state", "data"):
            os.mkdir(os.path.join(self.directory, name))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = os.path.join(self.directory, "log")
        self.process = None

    def __enter__(self):
        command = [os.path.join(self.bin_dir, "zokiod"), "--runtime-dir", self.directory + "/run",
                   "--state-dir", self.directory + "/state", "--http", f"127.0.0.1:{self.port}",
                   "--set", f'policy.roots=["{self.data}"]', "--set", "policy.exec.enabled=true", *self.flags]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(START_SECONDS, "zokiod is ready", self.ready)
        return self

    def ready(self):
        if self.process.poll() is not None:
            fail(f"zokiod ended with {self.process.returncode}:\n{self.log()}")
        return get(self.url + "/readyz")[0] == 200

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                fail(f"zokiod did not stop:\n{self.log()}")
        if error[0] is not None:
            print(self.log(), file=sys.stderr)
        code = self.process.returncode
        shutil.rmtree(self.directory, ignore_errors=True)
        if error[0] is None and code != 0:
            fail(f"zokiod ended with {code}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def ctl(self, *words, ok=(0,), seconds=120):
        """Runs zokioctl; its output. The exit code has to be one of `ok` (None: any)."""
        environment = dict(os.environ, ZOKIO_ADDRESS=f"unix://{self.directory}/run/zokiod.sock")
        done = subprocess.run([os.path.join(self.bin_dir, "zokioctl"), *words], env=environment, text=True,
                              capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
        self.code = done.returncode
        if ok is not None and done.returncode not in ok:
            fail(f"zokioctl {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ctl_json(self, *words, **options):
        return json.loads(self.ctl("-o", "json", *words, **options))

    def metrics(self):
        status, text = get(self.url + "/metrics")
        if status != 200:
            fail(f"/metrics answers {status}")
        return text


def parse_metrics(text):
    """({"name{labels}": value}, {name: type})."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
    return samples, types


def family_of(sample, types):
    """The family of a sample: that of zokio_x_seconds_bucket{...} is zokio_x_seconds."""
    name = sample.split("{", 1)[0]
    for suffix in ("", "_bucket", "_sum", "_count"):
        if name.endswith(suffix) and name.removesuffix(suffix) in types:
            return name.removesuffix(suffix)
    return None


def went_backwards(before, after, types):
    """Counters, and buckets and counts of histograms, that are smaller or gone."""
    bad = []
    for name, value in before.items():
        family = family_of(name, types)
        if family is None or types[family] == "gauge":
            continue
        if after.get(name, -1) < value:
            bad.append(f"{name}: {value} -> {after.get(name)}")
    return bad

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Dashboard and alerts against a real Prometheus that scrapes a loaded zokiod.

    prometheus_dashboard_test.py BIN_DIR SOURCE_DIR

Every query of every panel has to return numbers; every metric that is named has to exist in the exposition; no
counter goes backwards while workers, reactors and pools are resized.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse

from soak_daemon import (Zokiod, fail, family_of, free_port, get, need_tools, parse_metrics, wait_for,
                         went_backwards)

SUBSTITUTES = {"$__rate_interval": "20s", "$__interval": "15s", "$instance": ".*", "$op": ".*"}
METRIC = re.compile(r"\b((?:zokio|process|grpc_server)_[a-z_]+)")
# At a second's scrape, a window of rate() is full after 20 s; the load needs a while to touch everything.
QUERY_SECONDS = 120


def run(*command):
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def panels(dashboard):
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def substitute(expr):
    for name in sorted(SUBSTITUTES, key=len, reverse=True):
        expr = expr.replace(name, SUBSTITUTES[name])
    return expr


class Prometheus:
    def __init__(self, directory, target, rules):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as out:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                       "rule_files": [rules],
                       "scrape_configs": [{"job_name": "zokiod", "static_configs": [{"targets": [target]}]}]}, out)
        self.log = open(os.path.join(directory, "prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)

    def __enter__(self):
        wait_for(60, "Prometheus is ready", lambda: get(self.url + "/-/ready")[0] == 200)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()

    def query(self, expr):
        """(values, None) or ([], error)."""
        status, text = get(self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        answer = json.loads(text) if text else {}
        if status != 200 or answer.get("status") != "success":
            return [], answer.get("error", f"HTTP {status}")
        return [float(series["value"][1]) for series in answer["data"]["result"]], None


def check_files(source):
    """What needs no daemon: rules and their tests, the generated dashboard, the table of the README."""
    folder = os.path.join(source, "dashboards")
    run("promtool", "check", "rules", os.path.join(folder, "alerts.yaml"))
    run("promtool", "test", "rules", os.path.join(folder, "alerts_test.yaml"))
    run(sys.executable, os.path.join(folder, "generate.py"), "--check")
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as text:
        readme = text.read()
    with open(os.path.join(folder, "zokio.json"), encoding="utf-8") as text:
        dashboard = json.load(text)
    for panel in panels(dashboard):
        row = next((line for line in readme.splitlines() if f"| {panel['title']} |" in line), None)
        if row is None:
            fail(f"dashboards/README.md has no row for panel {panel['title']}")
    for alert in re.findall(r"alert: (\w+)", open(os.path.join(folder, "alerts.yaml"), encoding="utf-8").read()):
        if f"### {alert}\n" not in readme:
            fail(f"dashboards/README.md does not say what to do about {alert}")
    return dashboard


def named_metrics(source, dashboard):
    text = json.dumps(dashboard)
    with open(os.path.join(source, "dashboards", "alerts.yaml"), encoding="utf-8") as rules:
        text += rules.read()
    return {m for m in METRIC.findall(text)}


def load(daemon):
    """Jobs of every kind and every outcome beside a soak, which resizes and gives its own figures."""
    os.mkdir(os.path.join(daemon.data, "tree"))
    for i in range(4):
        with open(os.path.join(daemon.data, "tree", f"file-{i}"), "wb") as out:
            out.write(os.urandom(100_000))
    daemon.ctl("soak", "start", "--duration", "5m", "--rate", "40", "--seed", "3")
    daemon.ctl("submit", "exec", "--attempts", "3", "--backoff", "1s", "--", "/bin/false")
    daemon.ctl("submit", "no.such.kind", ok=None)


def keep_busy(daemon, n):
    tree = os.path.join(daemon.data, "tree")
    daemon.ctl("run", "file.checksum", tree)
    daemon.ctl("submit", "file.copy", tree + "/file-0", os.path.join(daemon.data, f"copy-{n}"))
    daemon.ctl("submit", "exec", "--", "/bin/false")
    # The soak resizes, too: a request that read the runtime just before loses, as it should.
    daemon.ctl("resize", f"workers={2 + n % 3}", ok=(0, 4))
    daemon.ctl("stats")


def check_exposition(daemon):
    text = daemon.metrics()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0 or done.stdout or done.stderr:
        fail(f"promtool check metrics: {done.returncode}\n{done.stdout}{done.stderr}")
    samples, types = parse_metrics(text)
    if samples["zokio_metrics_series"] != len(samples):
        fail(f"zokio_metrics_series says {samples['zokio_metrics_series']}, there are {len(samples)}")
    if len(samples) > 5000:
        fail(f"{len(samples)} series are more than 5000")
    return types


def check_names(names, types):
    for name in sorted(names):
        if family_of(name, types) is None:
            fail(f"{name} is named in dashboards/ and not in the exposition")


def check_queries(prometheus, dashboard, daemon):
    """Until every panel has numbers; meanwhile jobs go on and counters are watched."""
    open_queries = {(panel["title"], target["refId"]): substitute(target["expr"])
                    for panel in panels(dashboard) for target in panel["targets"]}
    total = len(open_queries)
    deadline = time.monotonic() + QUERY_SECONDS
    before, _ = parse_metrics(daemon.metrics())
    rounds = 0
    while open_queries:
        keep_busy(daemon, rounds)
        rounds += 1
        after, types = parse_metrics(daemon.metrics())
        bad = went_backwards(before, after, types)
        if bad:
            fail("counters went backwards: " + "; ".join(bad[:5]))
        before = after
        for key, expr in list(open_queries.items()):
            values, error = prometheus.query(expr)
            if error:
                fail(f"{key}: {error}\n{expr}")
            if any(math.isfinite(v) for v in values):
                del open_queries[key]
        if open_queries and time.monotonic() > deadline:
            fail("no data for:\n" + "\n".join(f"{k}: {e}" for k, e in open_queries.items()))
    print(f"{total} queries of {len(list(panels(dashboard)))} panels have data; {rounds} rounds, "
          f"{len(before)} series")


def check_rules(prometheus, dashboard):
    for note in dashboard["annotations"]["list"]:
        _, error = prometheus.query(substitute(note["expr"]))
        if error:
            fail(f"annotation {note['name']}: {error}")
    rules = json.loads(get(prometheus.url + "/api/v1/rules")[1])["data"]["groups"]
    for rule in (rule for group in rules for rule in group["rules"]):
        if rule["health"] != "ok":
            fail(f"rule {rule['name']}: {rule.get('lastError')}")
        if rule["type"] == "recording" and not prometheus.query(rule["name"])[0]:
            fail(f"recording rule {rule['name']} gives nothing")


def main():
    bin_dir, source = sys.argv[1:3]
    need_tools("prometheus", "promtool")
    dashboard = check_files(source)
    rules = os.path.join(source, "dashboards", "alerts.yaml")
    with tempfile.TemporaryDirectory(prefix="zokio-prometheus-") as directory, Zokiod(bin_dir) as daemon:
        check_names(named_metrics(source, dashboard), check_exposition(daemon))
        with Prometheus(directory, f"127.0.0.1:{daemon.port}", rules) as prometheus:
            load(daemon)
            check_queries(prometheus, dashboard, daemon)
            check_rules(prometheus, dashboard)
        check_exposition(daemon)
        daemon.ctl("soak", "stop")


if __name__ == "__main__":
    main()

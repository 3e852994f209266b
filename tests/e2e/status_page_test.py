#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The status page and the stats document of a real zokiod: headers, methods, and what the script makes of them.

    status_page_test.py BIN_DIR
"""

import http.client
import json
import os
import shutil
import subprocess
import sys
import time

from soak_daemon import Zokiod, fail

HERE = os.path.dirname(os.path.abspath(__file__))


def request(daemon, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def check_http(daemon):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        for path in ("/", "/metrics", "/api/v1/stats", "/readyz"):
            answer, _ = request(daemon, method, path)
            if answer.status != 405 or answer.headers["Allow"] != "GET, HEAD":
                fail(f"{method} {path}: {answer.status}")
    for path in ("/", "/status.js", "/status.css", "/livez", "/readyz", "/metrics", "/api/v1/stats"):
        answer, body = request(daemon, "GET", path)
        if answer.status != 200 or not body:
            fail(f"GET {path}: {answer.status}")
        if "default-src 'none'" not in answer.headers["Content-Security-Policy"]:
            fail(f"{path} has no policy")
        head, nothing = request(daemon, "HEAD", path)
        if head.status != 200 or nothing:
            fail(f"HEAD {path}: {head.status}")
    if request(daemon, "GET", "/nothing")[0].status != 404:
        fail("an unknown path is not 404")


def drawn_page(daemon):
    """{id: text} of the page after two documents with work in between; None without node."""
    if shutil.which("node") is None:
        print("node is not here: the script was not run")
        return None
    files = []
    for name, path in (("status.js", "/status.js"), ("one.json", "/api/v1/stats"), ("two.json", "/api/v1/stats")):
        if name == "two.json":
            for _ in range(3):
                daemon.ctl("submit", "synthetic.file", "--wait")
            daemon.ctl("submit", "synthetic.spawn", "--wait")
            time.sleep(0.05)
        files.append(os.path.join(daemon.directory, name))
        with open(files[-1], "w", encoding="utf-8") as out:
            out.write(request(daemon, "GET", path)[1])
    done = subprocess.run(["node", os.path.join(HERE, "status_page_dom.js"), *files], text=True, capture_output=True,
                          check=False, timeout=120)
    if done.returncode != 0:
        fail(f"the page's script: {done.stderr}")
    return json.loads(done.stdout)


def check_page(daemon):
    page = drawn_page(daemon)
    if page is None:
        return
    expected = {"state": "serving", "facts": "version", "workers": "running|parked", "reactors": "active",
                "ops": "write", "pools": "frames", "kinds": "synthetic.file", "charts": "Scheduling delay"}
    for ident, words in expected.items():
        if not any(word in page.get(ident, "") for word in words.split("|")):
            fail(f"#{ident} does not show {words}: {page.get(ident)!r}")
    for ident, text in page.items():
        for bad in ("undefined", "NaN", "[object"):
            if bad in text:
                fail(f"#{ident} shows {bad}: {text!r}")
    if page.get("alert"):
        fail(f"a well daemon has an alert: {page['alert']}")


def main():
    with Zokiod(sys.argv[1]) as daemon:
        check_http(daemon)
        check_page(daemon)


if __name__ == "__main__":
    main()

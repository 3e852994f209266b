#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The soak against a real zokiod: a good one does not fail, a leak and a lost job do; exit codes and reports.

    soak_verdict_test.py BIN_DIR

StartSoak, GetSoak, StopSoak and GetReport as zokioctl calls them. Short soaks judge less than long ones: what must be seen here is far above what they resolve.
"""

import json
import os
import sys

from soak_daemon import Zokiod, fail, wait_for

PASS, DENIED, NOT_FOUND, CONFLICT, USAGE, FAIL, INCONCLUSIVE = 0, 6, 3, 4, 2, 10, 11


def expect(condition, what):
    if not condition:
        fail(what)


def report_of(daemon):
    return json.loads(daemon.ctl("soak", "report", "--format", "json", ok=None))


def check(report, name):
    return next(c for c in report["checks"] if c["name"] == name)


def test_faults_need_the_configuration(bin_dir):
    with Zokiod(bin_dir) as daemon:
        daemon.ctl("soak", "status", ok=(NOT_FOUND,))
        daemon.ctl("soak", "start", "--inject", "leak=256Ki/s", ok=(DENIED,))
        daemon.ctl("soak", "start", "--duration", "1s", ok=(USAGE,))
        daemon.ctl("soak", "start", "--profile", "nonsense", ok=(USAGE,))


def test_good_soak(daemon):
    out = os.path.join(daemon.directory, "report")
    daemon.ctl("-q", "soak", "start", "--duration", "60s", "--seed", "5", "--out", out,
               ok=(PASS, INCONCLUSIVE), seconds=300)
    verdict = daemon.code
    for name in ("report.html", "report.json", "summary.md", "samples.csv"):
        expect(os.path.getsize(os.path.join(out, name)) > 200, f"{name} is there")
    report = report_of(daemon)
    expect(daemon.code == verdict, "report and start --wait agree on the exit code")
    expect(report["final"] and report["seed"] == 5, "the final report")
    for name in ("jobs-lost", "jobs-duplicate", "jobs-unexpected", "verify-mismatches", "resizes", "pool-hit-ratio"):
        expect(check(report, name)["state"] == "pass", f"{name}: {check(report, name)}")
    jobs = report["jobs"]
    expect(jobs["acknowledged"] == jobs["succeeded"] > 1000, f"every job succeeded: {jobs}")
    expect(len(report["resizes"]) >= 20, "sizes moved")
    html = daemon.ctl("soak", "report", "--format", "html", ok=(verdict,))
    expect("<svg" in html and "<script" not in html, "a page with charts and without script")
    return report


def test_one_at_a_time_and_stop(daemon):
    daemon.ctl("soak", "start", "--duration", "10m")
    daemon.ctl("soak", "start", ok=(CONFLICT,))
    expect(daemon.ctl_json("soak", "status")["running"], "it runs")
    daemon.ctl("soak", "stop", "--reason", "enough")
    wait_for(120, "the soak ends", lambda: not daemon.ctl_json("soak", "status")["running"])
    report = report_of(daemon)
    expect(daemon.code == INCONCLUSIVE, f"stopped early is inconclusive, not {daemon.code}")
    expect(report["stopped_early"] and report["stop_reason"] == "enough", "it says why")
    expect(report["jobs"]["lost"] == 0, "stopping loses nothing")


def test_dropped_job_fails(daemon):
    daemon.ctl("-q", "soak", "start", "--duration", "30s", "--inject", "drop-job", "--wait", ok=(FAIL,), seconds=300)
    report = report_of(daemon)
    expect(check(report, "jobs-lost")["value"] == 1, f"one job is lost: {check(report, 'jobs-lost')}")


def test_leak_fails(daemon):
    daemon.ctl("-q", "soak", "start", "--duration", "90s", "--inject", "leak=2Mi/s", "--wait", ok=(FAIL,), seconds=300)
    report = report_of(daemon)
    for name in ("rss-slope", "heap-slope"):
        found = check(report, name)
        expect(found["state"] == "fail" and found["interval95"][0] > found["limit"], f"{name}: {found}")


def main():
    bin_dir = sys.argv[1]
    test_faults_need_the_configuration(bin_dir)
    with Zokiod(bin_dir, "--set", "soak.allow_faults=true") as daemon:
        report = test_good_soak(daemon)
        test_one_at_a_time_and_stop(daemon)
        test_dropped_job_fails(daemon)
        test_leak_fails(daemon)
        # A soak under way does not hold up the end of the daemon.
        daemon.ctl("soak", "start", "--duration", "10m")
    print(f"good soak: {report['verdict']}, {report['jobs']['succeeded']} jobs, {len(report['resizes'])} resizes; "
          "a dropped job and a leak: FAIL")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""zokioctl against a real zokiod: what it prints where, and how it exits.

ctl_test.py BUILD_DIR [unittest arguments]
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv[1]).resolve() / "bin"
LIMIT = 60  # seconds; far more than any step needs


class Daemon:
    """zokiod in a directory of its own; ready when NOTIFY_SOCKET says so."""

    def __init__(self, *arguments):
        self.dir = tempfile.TemporaryDirectory(prefix="zokio-ctl-")
        root = pathlib.Path(self.dir.name)
        self.data = root / "data"
        self.data.mkdir()
        self.address = f"unix://{root}/run/zokiod.sock"
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(f"{root}/notify")
        notify.settimeout(LIMIT)
        self.log = open(root / "log", "w+")
        self.process = subprocess.Popen(
            [BIN / "zokiod", "--runtime-dir", root / "run", "--state-dir", root / "state",
             "--http", "127.0.0.1:0", "--set", "policy.exec.enabled=true",
             "--set", f'policy.roots=["{self.data}"]', *arguments],
            stdout=self.log, stderr=self.log, env={**os.environ, "NOTIFY_SOCKET": f"{root}/notify"})
        while b"READY=1" not in notify.recv(4096):
            pass
        notify.close()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(LIMIT)
        self.log.close()
        self.dir.cleanup()
        return code


class CtlTest(unittest.TestCase):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        code = cls.daemon.stop()
        assert code == 0, code

    def command(self, *words):
        return [BIN / "zokioctl", "--address", self.daemon.address, *words]

    def ctl(self, *words, code=0, input=None, env=None):
        ran = subprocess.run(self.command(*words), input=input, capture_output=True, text=True,
                             timeout=LIMIT, env={**os.environ, **(env or {})})
        self.assertEqual(ran.returncode, code, f"{words}: {ran.stdout}{ran.stderr}")
        return ran

    def submit(self, *words):
        return self.ctl("submit", "-o", "name", *words).stdout.strip()


class Jobs(CtlTest):
    def test_run_streams_and_passes_the_code_through(self):
        ran = self.ctl("run", "exec", "--", "sh", "-c", "echo out; echo more; exit 3", code=3)
        self.assertEqual(ran.stdout, "out\nmore\n")
        self.assertEqual(self.ctl("run", "exec", "--", "true").stdout, "")
        self.ctl("run", "exec", "--", "sh", "-c", "kill -9 $$", code=137)

    def test_run_fails_with_125_when_zokio_does(self):
        ran = self.ctl("run", "file.checksum", "/etc", code=125)
        self.assertIn("PATH_NOT_ALLOWED", ran.stderr)
        self.assertEqual(ran.stdout, "")
        self.ctl("run", "exec", "--", "/no/such/program", code=125)

    def test_run_of_other_kinds_prints_the_result(self):
        (self.daemon.data / "f").write_text("x")
        ran = self.ctl("run", "file.checksum", str(self.daemon.data))
        self.assertRegex(ran.stdout.splitlines()[-1], r"^\d+ files, .* xxh3 [0-9a-f]{32}$")

    def test_ctrl_c_detaches_and_the_job_goes_on(self):
        run = subprocess.Popen(self.command("run", "exec", "--", "sh", "-c", "echo begun; sleep 600"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout.readline(), "begun\n")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=LIMIT)
        self.assertEqual(run.returncode, 130, err)
        self.assertIn("zokioctl job logs -f ", err)
        id = err.split("job logs -f ")[1][:26]
        self.assertEqual(self.job(id)["state"], "running")
        self.ctl("job", "cancel", id)
        self.ctl("job", "wait", id, code=1)
        self.assertEqual(self.job(id)["state"], "cancelled")

    def job(self, id):
        return json.loads(self.ctl("job", "get", "-o", "json", id).stdout)

    def test_submit_prints_only_the_id(self):
        ran = self.ctl("submit", "synthetic.spawn", "tasks=10")
        self.assertRegex(ran.stdout, r"^[0-9A-Z]{26}\n$")
        self.assertEqual(ran.stderr, "")
        job = json.loads(self.ctl("submit", "-o", "json", "synthetic.spawn", "--set", "tasks=10",
                                  "--label", "a=b", "--priority", "3").stdout)
        self.assertEqual(job["spec"]["synthetic_spawn"]["tasks"], 10)
        self.assertEqual(job["spec"]["labels"], {"a": "b"})
        self.assertEqual(job["spec"]["priority"], 3)

    def test_submit_wait_and_dry_run(self):
        self.ctl("submit", "--wait", "exec", "--", "true")
        self.ctl("submit", "--wait", "exec", "--", "false", code=1)
        ran = self.ctl("submit", "--dry-run", "-o", "name", "exec", "--", "true")
        self.assertEqual(ran.stdout, "")

    def test_request_id_gives_the_same_job(self):
        one = self.submit("synthetic.spawn", "--request-id", "same")
        two = self.submit("synthetic.spawn", "--request-id", "same")
        self.assertEqual(one, two)
        self.ctl("submit", "synthetic.spawn", "tasks=7", "--request-id", "same", code=4)

    def test_batch_keeps_the_order_and_names_the_lines(self):
        lines = [json.dumps({"kind": "synthetic.spawn", "synthetic_spawn": {"seed": i},
                             "labels": {"n": str(i)}}) for i in range(150)]
        lines[70] = '{"kind": "no.such"}'
        lines[80] = "nonsense"
        ran = self.ctl("submit", "-f", "-", "-o", "jsonl", input="\n".join(lines), code=2)
        seeds = [json.loads(l)["spec"]["labels"]["n"] for l in ran.stdout.splitlines()]
        self.assertEqual(seeds, [str(i) for i in range(150) if i not in (70, 80)])
        self.assertIn("line 71:", ran.stderr)
        self.assertIn("line 81:", ran.stderr)
        self.assertIn("148 submitted, 2 failed", ran.stderr)

    def test_list_filters_and_pages(self):
        ids = [self.submit("exec", "--label", "set=l", "--", "true") for _ in range(3)]
        bad = self.submit("exec", "--label", "set=l", "--", "false")
        self.ctl("job", "wait", *ids)
        self.ctl("job", "wait", bad, code=1)
        listed = self.ctl("job", "list", "-l", "set=l", "-o", "name").stdout.split()
        self.assertEqual(sorted(listed), sorted(ids + [bad]))
        failed = self.ctl("job", "list", "-l", "set=l", "--state", "failed", "-o", "name").stdout
        self.assertEqual(failed.split(), [bad])
        self.assertEqual(len(json.loads(
            self.ctl("job", "list", "--limit", "2", "-o", "json").stdout)["jobs"]), 2)
        table = self.ctl("job", "list", "-l", "set=l").stdout
        self.assertTrue(table.startswith("ID "))
        self.assertNotIn("\033", table)

    def test_wait_gives_up_with_7(self):
        id = self.submit("exec", "--", "sleep", "600")
        ran = self.ctl("job", "wait", "--timeout", "200ms", id, code=7)
        self.assertIn(f"zokioctl job wait {id}", ran.stderr)
        self.ctl("job", "cancel", id)

    def test_logs(self):
        # Both outputs are one text, in the order in which the command wrote.
        script = "for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done"
        text = "".join(f"out {i}\nerr {i}\n" for i in range(1, 9))
        id = self.submit("exec", "--", "sh", "-c", script)
        self.ctl("job", "wait", id)
        self.assertEqual(self.ctl("job", "logs", id).stdout, text)
        self.assertEqual(self.ctl("job", "logs", "-f", id).stdout, text)

    def test_unknown_job_is_3_with_a_next_step(self):
        for command in (["get"], ["wait"], ["cancel"], ["logs"]):
            ran = self.ctl("job", *command, "01ARZ3NDEKTSV4RRFFQ69G5FAV", code=3)
            self.assertRegex(ran.stderr, r"^error: .*\(JOB_NOT_FOUND\)\. Try: zokioctl job list\n$")

    def test_watch_shows_the_life_of_a_job(self):
        revision = json.loads(self.ctl("job", "list", "-o", "json").stdout)["revision"]
        watch = subprocess.Popen(self.command("job", "watch", "-o", "jsonl", "--from-revision",
                                              str(revision + 1)), stdout=subprocess.PIPE, text=True)
        id = self.submit("exec", "--", "true")
        states = []
        while "succeeded" not in states:
            event = json.loads(watch.stdout.readline())
            if event["job_id"] == id:
                states.append(event["state"])
        self.assertEqual(states, ["queued", "running", "succeeded"])
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=LIMIT)
        self.assertEqual(watch.returncode, 130)


class JobClient(CtlTest):
    """ctl/examples/job_client: what a C++ program on our runtime makes of the service."""

    def test_commands_run_at_once_and_each_end_is_told(self):
        # Only together can they end: each waits for the other's file.
        meet = "touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.01; done"
        commands = [meet.format(self.daemon.data, "a", "b"), meet.format(self.daemon.data, "b", "a"),
                    "exit 3"]
        ran = subprocess.run([BIN / "examples" / "job_client", self.daemon.address, *commands],
                             capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        ends = {line[:line.rindex(":")]: line for line in ran.stdout.splitlines()}
        for command in commands[:2]:
            self.assertIn("JOB_STATE_SUCCEEDED, exit code 0", ends[command])
        self.assertIn("JOB_STATE_FAILED, exit code 3", ends["exit 3"])

    def test_an_address_where_nobody_is(self):
        ran = subprocess.run([BIN / "examples" / "job_client", "unix:///nowhere/socket", "true"],
                             capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        self.assertIn("true: ", ran.stdout)

    def test_it_stays_short(self):
        source = pathlib.Path(__file__).parents[2] / "ctl" / "examples" / "job_client.cpp"
        self.assertLess(len(source.read_text().splitlines()), 80)


class Runtime(CtlTest):
    arguments = ("--set", "workers=2", "--set", "reactors=1")

    def setUp(self):
        self.ctl("resize", "workers=2", "reactors=1", "pool.buffers=none")

    def generation(self):
        return json.loads(self.ctl("status", "-o", "json").stdout)["runtime"]["generation"]

    def test_resize_says_what_changed(self):
        generation = self.generation()
        ran = self.ctl("resize", "workers=4")
        self.assertEqual(ran.stdout, f"workers 2 -> 4, generation {generation + 1}\n")
        ran = self.ctl("resize", "workers=1", "reactors=2", "pool.buffers=256Mi")
        self.assertEqual(ran.stdout, "pool.buffers none -> 256Mi, workers 4 -> 1, reactors 1 -> 2, "
                                     f"generation {generation + 2}\n")
        ran = self.ctl("resize", "workers=1")
        self.assertEqual(ran.stdout, f"nothing to change, generation {generation + 2}\n")
        runtime = json.loads(self.ctl("resize", "workers=3", "-o", "json").stdout)
        self.assertEqual(runtime["actual"]["workers"], 3)

    def test_dry_run_changes_nothing(self):
        generation = self.generation()
        ran = self.ctl("resize", "--dry-run", "workers=5")
        self.assertIn("workers 2 -> 5", ran.stdout)
        self.assertEqual(self.generation(), generation)

    def test_refusals(self):
        self.ctl("resize", "workers=0", code=2)
        self.ctl("resize", "workers=100000", code=2)
        self.ctl("resize", "pool.nonsense=1Mi", code=2)
        self.ctl("resize", "workers=3", "--if-generation", "999999", code=4)
        ran = self.ctl("resize", "pool.frames=1", code=4)
        self.assertRegex(ran.stderr, r'^error: cannot limit pool "frames" to 1: .* in use '
                                     r"\(RESIZE_INFEASIBLE\)\. Try: zokioctl resize pool\.frames=\d+Mi")

    def test_stats(self):
        stats = json.loads(self.ctl("stats", "-o", "json").stdout)
        self.assertEqual(stats["scheduler"]["workers_desired"], 2)
        self.assertEqual(stats["process"]["pid"], self.daemon.process.pid)
        self.assertEqual({p["name"] for p in stats["pools"]}, {"frames", "buffers", "heap", "stacks"})
        text = self.ctl("stats").stdout
        for word in ("scheduler:", "POOL", "reactors:", "jobs:", "process:", "rpc:"):
            self.assertIn(word, text)
        self.assertNotIn("POOL", self.ctl("stats", "jobs").stdout)

    def test_status_health_version(self):
        self.assertIn("workers   2 of 2", self.ctl("status").stdout)
        self.assertEqual(self.ctl("health").stdout, "live: yes\nready: yes\n")
        version = json.loads(self.ctl("version", "-o", "json").stdout)
        self.assertEqual(version["client"]["version"], version["server"]["version"])

    def test_address_from_the_environment(self):
        ran = subprocess.run([BIN / "zokioctl", "health"], capture_output=True, text=True,
                             timeout=LIMIT, env={**os.environ, "ZOKIO_ADDRESS": self.daemon.address})
        self.assertEqual(ran.returncode, 0, ran.stderr)


class Limits(CtlTest):
    arguments = ("--set", "jobs.queue_limit=2", "--set", "jobs.concurrency=1")

    def test_full_queue_is_8(self):
        ids = [self.submit("exec", "--", "sleep", "600") for _ in range(2)]
        ran = self.ctl("submit", "exec", "--", "true", code=8)
        self.assertIn("QUEUE_FULL", ran.stderr)
        self.ctl("job", "cancel", *ids)
        self.ctl("job", "wait", *ids, code=1)


class Queues(CtlTest):
    def test_life_of_a_queue(self):
        ran = self.ctl("queue", "create", "bulk", "--shares", "50", "--rate", "100/m", "--size-limit", "2")
        self.assertEqual(ran.stdout, "bulk created: 0 queued, 0 running\n")
        self.ctl("queue", "create", "bulk", code=4)
        self.ctl("queue", "pause", "bulk")
        for _ in range(2):
            self.submit("--queue", "bulk", "exec", "--", "true")
        ran = self.ctl("submit", "--queue", "bulk", "exec", "--", "true", code=8)
        self.assertIn("size_limit of queue \"bulk\" is 2 (QUEUE_FULL)", ran.stderr)
        self.assertIn("zokioctl queue set bulk --size-limit", ran.stderr)
        ran = self.ctl("queue", "get", "bulk")
        self.assertIn("paused", ran.stdout)
        self.assertIn("100/m", ran.stdout)
        self.assertEqual(self.ctl("queue", "purge", "bulk").stdout, "2 cancelled\n")
        self.ctl("queue", "drain", "bulk", "--wait")
        self.assertIn("QUEUE_DRAINING", self.ctl("submit", "--queue", "bulk", "exec", "--", "true", code=4).stderr)
        self.ctl("queue", "delete", "bulk")
        self.assertIn("there are: default", self.ctl("queue", "get", "bulk", code=3).stderr)
        names = self.ctl("queue", "list", "-o", "name").stdout
        self.assertEqual(names, "default\n")
        self.ctl("queue", "set", "default", code=2)


class Life(CtlTest):
    def test_after_hold_requeue(self):
        bad = self.submit("exec", "--", "false")
        held = self.submit("--after", bad, "--on-failure", "hold", "exec", "--", "true")
        gone = self.submit("--after", bad, "exec", "--", "true")
        self.ctl("job", "wait", bad, gone, code=1)
        self.assertIn("DEPENDENCY_FAILED", self.ctl("job", "get", gone).stdout)
        self.assertIn(held, self.ctl("job", "list", "--state", "waiting", "-o", "name").stdout)
        self.assertEqual(self.ctl("job", "requeue", held).stdout, f"{held} is queued again\n")
        self.ctl("job", "wait", held)
        self.assertIn("JOB_FINISHED", self.ctl("job", "requeue", held, code=4).stderr)
        late = self.submit("--delay", "1h", "exec", "--", "true")
        self.ctl("job", "cancel", late)
        self.ctl("job", "wait", late, code=1)


class Drain(CtlTest):
    def test_drain_and_after(self):
        id = self.submit("exec", "--", "sleep", "600")
        ran = self.ctl("drain", "--deadline", "10m")
        self.assertTrue(ran.stdout.startswith("draining: "), ran.stdout)
        ran = self.ctl("submit", "exec", "--", "true", code=5)
        self.assertIn("(DRAINING)", ran.stderr)
        self.assertEqual(self.ctl("health", code=1).stdout, "live: yes\nready: no\n")
        self.ctl("health", "--live")
        ran = self.ctl("drain", "--deadline", "0s", "--wait", "-o", "json")
        self.assertEqual(json.loads(ran.stdout)["state"], "drained")
        state = json.loads(self.ctl("job", "get", "-o", "json", id).stdout)["state"]
        self.assertEqual(state, "queued")


class Reload(unittest.TestCase):
    def test_reload(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("[jobs]\nqueue_limit = 10\n")
            file.flush()
            CtlTest.daemon = daemon = Daemon("--config", file.name)
            test = CtlTest()
            try:
                file.seek(0)
                file.write("[jobs]\nqueue_limit = 20\n")
                file.flush()
                self.assertEqual(test.ctl("reload", "--dry-run").stdout, "jobs.queue_limit 10 -> 20\n")
                self.assertEqual(test.ctl("reload").stdout, "jobs.queue_limit 10 -> 20\n")
                self.assertEqual(test.ctl("reload").stdout, "")
                file.seek(0)
                file.write("[jobs]\nqueue_limit = !!\n")
                file.flush()
                self.assertIn(":2:", test.ctl("reload", code=2).stderr)
            finally:
                daemon.stop()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[2:])

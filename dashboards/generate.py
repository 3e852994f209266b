#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes zokio.json, the Grafana dashboard, from the rows below.

    dashboards/generate.py            writes dashboards/zokio.json
    dashboards/generate.py --check    exit code 1 when the file is not what this would write

One panel is one question. A query is (expression, legend); $instance and $op are the dashboard's variables.
"""

import json
import sys
from pathlib import Path

TARGET = Path(__file__).with_name("zokio.json")
SELECT = 'instance=~"$instance"'
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def rate(metric, by="", where=""):
    """Sum of per-second rates, by labels."""
    selector = SELECT + ("," + where if where else "")
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{selector}}}[$__rate_interval]))"


def gauge(metric, by="", where=""):
    selector = SELECT + ("," + where if where else "")
    return f"sum{f' by ({by})' if by else ''} ({metric}{{{selector}}})"


def quantile(q, metric, by="", where=""):
    labels = "le" + (", " + by if by else "")
    return f"histogram_quantile({q}, {rate(metric + '_bucket', labels, where)})"


def latency(metric, by="", where=""):
    """p50 and p99, side by side."""
    name = f" {{{{{by.split(',')[-1].strip()}}}}}" if by else ""
    return [(quantile(0.5, metric, by, where), "p50" + name), (quantile(0.99, metric, by, where), "p99" + name)]


def stat(title, unit, queries, text="", mappings=None, red_above=None, name=False):
    return {"kind": "stat", "title": title, "unit": unit, "queries": queries, "text": text,
            "mappings": mappings or [], "red_above": red_above, "name": name}


def series(title, unit, queries, text="", stack=False, maximum=None, step=False):
    return {"kind": "timeseries", "title": title, "unit": unit, "queries": queries, "text": text,
            "stack": stack, "max": maximum, "step": step}


def values(text):
    return [{"type": "value", "options": {k: {"text": v, "color": c} for k, (v, c) in text.items()}}]


ROWS = [
    ("Is it well?", False, [
        stat("Up", "none", [(f"up{{{SELECT}}}", "up")], "The last scrape succeeded.",
             values({"0": ("down", "red"), "1": ("up", "green")})),
        stat("State", "none", [(f"zokio_server_state{{{SELECT}}} == 1", "{{state}}")],
             "The state the daemon is in.", name=True),
        stat("Backend", "none", [(f"sum by (backend) (zokio_reactors{{{SELECT}}}) > 0", "{{backend}}")],
             "What the reactors run on.", name=True),
        stat("Uptime", "s", [(f"time() - process_start_time_seconds{{{SELECT}}}", "uptime")]),
        stat("Jobs finished", "ops", [(rate("zokio_jobs_finished_total", where='outcome!="interrupted"'), "jobs")]),
        stat("Jobs that failed", "percentunit",
             [(f"({rate('zokio_jobs_finished_total', where='outcome=~' + chr(34) + 'failed|timed_out' + chr(34))}"
               f" / {rate('zokio_jobs_finished_total')}) or vector(0)", "share")],
             "Failed and timed out, as a share of all that ended.", red_above=0.05),
        stat("Oldest queued job", "s",
             [(f"max(time() - zokio_queue_oldest_job_timestamp_seconds{{{SELECT}}}) > 0 or vector(0)", "age")],
             "0 when nothing is queued.", red_above=600),
        stat("I/O p99", "s", [(quantile(0.99, "zokio_io_duration_seconds", where='op=~"read|write|fsync"'), "p99")],
             "Read, write and fsync."),
        stat("Anonymous memory", "bytes", [(gauge("zokio_process_memory_bytes", where='type="rss_anon"'), "rss")]),
        stat("Jobs lost or run twice", "none",
             [(f"sum(zokio_jobs_lost_total{{{SELECT}}}) + sum(zokio_jobs_duplicate_executions_total{{{SELECT}}})",
               "jobs")], "Must be 0.", red_above=1),
        stat("Soak checks that fail", "none",
             [(gauge("zokio_soak_check_state", where='state="fail"'), "checks")],
             "As judged last; 0 when no soak has run.", red_above=1),
    ]),
    ("Jobs", False, [
        series("Submits", "ops", [(rate("zokio_jobs_submitted_total", "result"), "{{result}}")],
               "What became of them."),
        series("Ended", "ops", [(rate("zokio_jobs_finished_total", "outcome"), "{{outcome}}")], stack=True),
        series("Ended by kind", "ops", [(rate("zokio_jobs_finished_total", "kind"), "{{kind}}")], stack=True),
        series("Not finished", "none", [(gauge("zokio_jobs", "state"), "{{state}}"),
                                        (gauge("zokio_jobs_limit"), "limit")],
               "Above the limit submits are rejected."),
        series("Not finished by queue", "none",
               [(gauge("zokio_jobs", "queue"), "{{queue}}"),
                (gauge("zokio_queue_limit_jobs", "queue"), "limit of {{queue}}")], "Limit 0: none of its own."),
        series("Starts by queue", "ops", [(rate("zokio_queue_starts_total", "queue"), "{{queue}}")]),
        series("What holds queues back", "none", [(gauge("zokio_queue_held", "queue, by"), "{{queue}} {{by}}")],
               "Paused, or at its own limit."),
        series("Wait in the queue", "s", latency("zokio_job_queue_wait_seconds")),
        series("Run time by kind", "s", latency("zokio_job_duration_seconds", "kind")),
        series("Attempts after the first", "ops",
               [(rate("zokio_job_attempts_total", "type", 'type!="first"'), "{{type}}")],
               "Retries after a failure, recoveries after an interruption."),
        series("Submits refused by reason", "ops", [(rate("zokio_jobs_rejected_total", "reason"), "{{reason}}")]),
        series("Must stay zero", "none",
               [(gauge("zokio_jobs_lost_total"), "lost"),
                (gauge("zokio_jobs_duplicate_executions_total"), "run twice"),
                (gauge("zokio_job_verify_failures_total"), "did not verify")], "Since the start."),
    ]),
    ("Scheduler", False, [
        series("Utilisation", "percentunit",
               [(f"{rate('zokio_scheduler_worker_busy_seconds_total')} / {gauge('zokio_scheduler_workers')}",
                 "mean of workers")], "Time that workers were not parked.", maximum=1),
        series("Workers", "none", [(gauge("zokio_scheduler_workers", "state"), "{{state}}"),
                                   (gauge("zokio_scheduler_workers_desired"), "desired")], step=True),
        series("Scheduling delay", "s", latency("zokio_scheduler_delay_seconds"), "From ready to running."),
        series("One resumption", "s", latency("zokio_scheduler_poll_duration_seconds"),
               "How long a task holds a worker."),
        series("What waits", "none", [(gauge("zokio_scheduler_queue_depth", "queue"), "{{queue}}")],
               "timer: armed timers; blocking: calls that wait for a thread."),
        series("Busy by worker", "percentunit", [(rate("zokio_scheduler_worker_busy_seconds_total", "worker"),
                                                  "worker {{worker}}")], "Spots imbalance.", maximum=1),
        series("Ready in each worker's queue", "none",
               [(gauge("zokio_scheduler_worker_queue_depth", "worker"), "worker {{worker}}")]),
        series("Steals", "ops", [(rate("zokio_scheduler_steal_attempts_total", "result"), "looks: {{result}}"),
                                 (rate("zokio_scheduler_stolen_tasks_total"), "tasks moved")]),
        series("Made ready by", "ops", [(rate("zokio_scheduler_schedules_total", "origin"), "{{origin}}"),
                                        (rate("zokio_scheduler_local_overflows_total"), "overflow of a local queue")]),
        series("Parks and wake-ups for nothing", "ops",
               [(rate("zokio_scheduler_worker_parks_total"), "parks"),
                (rate("zokio_scheduler_worker_noop_wakeups_total"), "for nothing")]),
        series("Tasks", "none", [(gauge("zokio_scheduler_tasks_alive"), "alive")]),
        series("Tasks started and ended", "ops",
               [(rate("zokio_scheduler_tasks_spawned_total"), "started"),
                (rate("zokio_scheduler_tasks_finished_total", "outcome"), "ended: {{outcome}}"),
                (rate("zokio_scheduler_polls_total"), "resumptions")]),
        series("Stalls", "none", [(rate("zokio_scheduler_stalls_total"), "stalls"),
                                  (gauge("zokio_scheduler_workers_extra"), "workers in place of stuck ones")],
               "Up to five a minute are in the log with task and stack."),
        series("Longest stall", "s", [(gauge("zokio_scheduler_stall_longest_seconds"), "since the start")]),
        series("Processor quota", "none", [(gauge("zokio_scheduler_cpu_quota_cores"), "cores")],
               "0: none, or autosize is off."),
        series("Blocking threads", "none", [(gauge("zokio_blocking_threads", "state"), "{{state}}")], stack=True),
    ]),
    ("Pools", False, [
        series("Memory", "bytes", [(gauge("zokio_pool_bytes", "pool, state"), "{{pool}} {{state}}")], stack=True),
        series("Limit and high water", "bytes",
               [(gauge("zokio_pool_limit_bytes", "pool"), "{{pool}} limit"),
                (gauge("zokio_pool_high_water_bytes", "pool"), "{{pool}} high water")], "Limit 0: none."),
        series("Served by tier", "ops", [(rate("zokio_pool_requests_total", "pool, tier"), "{{pool}} {{tier}}")]),
        series("Share from the system", "percentunit",
               [(f"({rate('zokio_pool_requests_total', 'pool', 'tier=' + chr(34) + 'os' + chr(34))})"
                 f" / {rate('zokio_pool_requests_total', 'pool')}", "{{pool}}")], "Misses; near 0 after warm-up.",
               maximum=1),
        series("Taken from and given back to the system", "Bps",
               [(rate("zokio_pool_refill_bytes_total", "pool"), "{{pool}} taken"),
                (rate("zokio_pool_released_bytes_total", "pool"), "{{pool}} given back")]),
        series("Blocks in use", "none", [(gauge("zokio_pool_objects_in_use", "pool"), "{{pool}}")]),
        series("Blocks given back by tasks", "ops", [(rate("zokio_pool_frees_total", "pool"), "{{pool}}")]),
        series("Committed", "bytes",
               [(gauge("zokio_pool_committed_bytes", "pool"), "{{pool}} committed"),
                (gauge("zokio_pool_requested_bytes", "pool"), "{{pool}} asked for"),
                (gauge("zokio_pool_stranded_bytes", "pool"), "{{pool}} stranded")],
               "Asked for: an estimate. Stranded: free, but cannot go back."),
        series("Fragmentation and utilisation", "percentunit",
               [(gauge("zokio_pool_fragmentation_ratio", "pool"), "{{pool}} fragmentation"),
                (gauge("zokio_pool_utilisation_ratio", "pool"), "{{pool}} utilisation")], maximum=1),
        series("Lots and locks", "ops",
               [(rate("zokio_pool_lots_total", "pool, direction"), "{{pool}} {{direction}}"),
                (rate("zokio_pool_central_locks_total", "pool"), "{{pool}} locks"),
                (rate("zokio_pool_central_contended_total", "pool"), "{{pool}} contended"),
                (rate("zokio_pool_remote_frees_total", "pool"), "{{pool}} remote frees")]),
        series("Allocation by path", "s", latency("zokio_pool_allocation_seconds", "path"),
               "Samples of hits in threads' caches and of refills."),
        series("Refused", "ops", [(rate("zokio_pool_failures_total", "pool, reason"), "{{pool}} {{reason}}")]),
        series("Memory that no pool explains", "bytes", [(gauge("zokio_pool_unaccounted_bytes"), "unaccounted")],
               "A slope here is a leak outside the pools."),
    ]),
    ("Reactors and I/O", False, [
        series("Reactors", "none", [(gauge("zokio_reactors", "backend"), "{{backend}}"),
                                    (gauge("zokio_reactors_desired"), "desired")], step=True),
        series("Fell back", "none", [(gauge("zokio_reactor_fallbacks_total", "from, to, reason"),
                                      "{{from}} to {{to}}: {{reason}}")], "1 with the reason; reason none: it did not."),
        series("Operations", "ops", [(rate("zokio_io_operations_total", "op, backend", 'op=~"$op"'),
                                      "{{op}} {{backend}}")]),
        series("Operations that failed or were cancelled", "ops",
               [(rate("zokio_io_operations_total", "op, result", 'op=~"$op",result!="ok"'), "{{op}} {{result}}")]),
        series("Bytes", "Bps", [(rate("zokio_io_bytes_total", "op, backend", 'op=~"$op"'), "{{op}} {{backend}}")]),
        series("Latency by operation", "s", latency("zokio_io_duration_seconds", "op", 'op=~"$op"'),
               "Of accept, recv and poll it includes the wait for the other side."),
        series("In flight", "none", [(gauge("zokio_reactor_inflight", "reactor"), "reactor {{reactor}}")]),
        series("System calls by operation", "none",
               [(f"{rate('zokio_reactor_syscalls_total')} / {rate('zokio_reactor_submissions_total')}", "calls")],
               "Below 1: submissions travel in batches."),
        series("Between threads", "ops", [(rate("zokio_reactor_remote_operations_total"), "operations from elsewhere"),
                                          (rate("zokio_reactor_bells_total"), "wake-ups by the bell")]),
        series("Pressure on the ring", "ops", [(rate("zokio_reactor_sq_full_total"), "submission queue full"),
                                               (rate("zokio_reactor_cq_overflows_total"), "completion overflow")]),
        series("Sizes of rings", "none",
               [(gauge("zokio_reactor_ring_entries", "reactor"), "entries of {{reactor}}"),
                (gauge("zokio_reactor_receive_buffers", "reactor"), "receive buffers of {{reactor}}")], step=True),
        series("Rings resized", "ops", [(rate("zokio_reactor_ring_resizes_total", "way"), "{{way}}")]),
        series("File operations on blocking threads", "ops", [(rate("zokio_io_blocking_operations_total"), "operations")]),
        {"kind": "table", "title": "What each reactor is", "unit": "none", "text": "",
         "queries": [(f"zokio_reactor_info{{{SELECT}}}", "")]},
    ]),
    ("Process", False, [
        series("Memory", "bytes", [(gauge("zokio_process_memory_bytes", "type"), "{{type}}"),
                                   (gauge("process_resident_memory_bytes"), "resident")]),
        series("Processor time", "none", [(rate("process_cpu_seconds_total"), "cores")]),
        series("Descriptors", "none", [(gauge("process_open_fds"), "open"), (gauge("process_max_fds"), "limit")]),
        series("Threads", "none", [(gauge("process_threads"), "threads")]),
        series("Context switches", "ops", [(rate("zokio_process_context_switches_total", "type"), "{{type}}")]),
        series("Page faults", "ops", [(rate("zokio_process_page_faults_total", "type"), "{{type}}")]),
    ]),
    ("Control plane and journal", False, [
        series("Calls by method", "reqps", [(rate("grpc_server_handled_total", "grpc_method"), "{{grpc_method}}")]),
        series("Calls that failed", "reqps",
               [(f"({rate('grpc_server_handled_total', 'grpc_code', 'grpc_code!=' + chr(34) + 'OK' + chr(34))})"
                 " or vector(0)", "{{grpc_code}}")]),
        series("Time of a call", "s",
               latency("grpc_server_handling_seconds", "grpc_method", 'grpc_method!="WatchJobs"')),
        series("Calls and watches under way", "none", [(gauge("zokio_rpc_calls_active"), "calls"),
                                                       (gauge("zokio_watch_streams"), "watches")]),
        series("Connections and denials", "ops",
               [(rate("zokio_rpc_connections_total", "result"), "connections {{result}}"),
                (rate("zokio_auth_denied_total"), "calls denied"),
                (rate("zokio_watch_cancelled_total", "reason"), "watches ended: {{reason}}")]),
        series("Journal: commit", "s", latency("zokio_journal_fsync_seconds")),
        series("Journal: until acknowledged", "s", latency("zokio_journal_append_seconds")),
        series("Journal: writes in a commit", "none",
               [(f"{rate('zokio_journal_writes_total')} / {rate('zokio_journal_commits_total')}", "writes")]),
        series("Journal: size", "bytes", [(gauge("zokio_journal_bytes"), "files")]),
        series("Journal: trouble", "none", [(f"1 - min(zokio_journal_healthy{{{SELECT}}})", "cannot be written"),
                                            (gauge("zokio_journal_queue_depth"), "writes waiting"),
                                            (gauge("zokio_journal_failures_total"), "writes refused"),
                                            (gauge("zokio_journal_fenced_total"), "results fenced")]),
        series("Resizes", "none", [(gauge("zokio_resize_operations_total", "component, result"),
                                    "{{component}} {{result}}")], "Since the start.", step=True),
        series("Configuration generation", "none", [(gauge("zokio_config_generation"), "generation"),
                                                    (f"min(zokio_config_last_reload_successful{{{SELECT}}})",
                                                     "last reload succeeded")], step=True),
        series("Cost of a scrape", "s", [(f"max(zokio_scrape_duration_seconds{{{SELECT}}})", "collect")]),
        series("Series", "none", [(gauge("zokio_metrics_series"), "series")]),
    ]),
    ("Soak", True, [
        stat("Running", "none", [(gauge("zokio_soak_running"), "soaks")]),
        series("Checks", "none", [(f"zokio_soak_check_state{{{SELECT}}} == 1", "{{check}}: {{state}}")],
               "As judged last.", step=True),
        series("Growth", "none", [(gauge("zokio_soak_slope_per_second", "resource"), "{{resource}}")],
               "By second: rss and pool_unaccounted in bytes."),
        series("Resizes and faults", "none", [(gauge("zokio_soak_resizes_total"), "resizes"),
                                              (gauge("zokio_soak_faults_injected_total", "fault"), "{{fault}}")],
               "Since the start.", step=True),
        series("Cost of the sampler", "percentunit",
               [(f"max(zokio_soak_sampler_overhead_ratio{{{SELECT}}})", "of one core")]),
    ]),
]

ANNOTATIONS = [
    ("Resizes", "purple", f"changes(zokio_config_last_change_timestamp_seconds{{{SELECT}}}[$__interval]) > 0",
     "{{component}} resized"),
    ("Restarts", "orange", f"changes(process_start_time_seconds{{{SELECT}}}[$__interval]) > 0", "restarted"),
    ("Soaks", "blue", f"changes(zokio_soak_running{{{SELECT}}}[$__interval]) > 0", "soak began or ended"),
]


def targets(queries):
    return [{"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend, "datasource": DATASOURCE}
            for i, (expr, legend) in enumerate(queries)]


def stat_options(panel):
    field = {"unit": panel["unit"], "mappings": panel["mappings"], "color": {"mode": "thresholds"},
             "thresholds": {"mode": "absolute", "steps": [{"color": "text", "value": None}]}}
    if panel["red_above"] is not None:
        field["thresholds"]["steps"] = [{"color": "green", "value": None}, {"color": "red", "value": panel["red_above"]}]
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
               "colorMode": "value", "graphMode": "none", "textMode": "name" if panel["name"] else "value"}
    return {"fieldConfig": {"defaults": field, "overrides": []}, "options": options}


def series_options(panel):
    custom = {"lineWidth": 1, "fillOpacity": 25 if panel["stack"] else 8, "showPoints": "never",
              "stacking": {"mode": "normal" if panel["stack"] else "none"}}
    if panel["step"]:
        custom["lineInterpolation"] = "stepAfter"
    field = {"unit": panel["unit"], "min": 0, "custom": custom}
    if panel["max"] is not None:
        field["max"] = panel["max"]
    if panel["title"] in ("Growth", "Memory that no pool explains"):
        del field["min"]
    options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {"fieldConfig": {"defaults": field, "overrides": []}, "options": options}


def table_options(_):
    hide = {c: True for c in ("Time", "Value", "__name__", "job")}
    return {"fieldConfig": {"defaults": {}, "overrides": []}, "options": {"showHeader": True},
            "transformations": [{"id": "organize", "options": {"excludeByName": hide}}]}


def make_panel(panel, ident, x, y, width, height):
    shape = {"stat": stat_options, "timeseries": series_options, "table": table_options}[panel["kind"]](panel)
    queries = targets(panel["queries"])
    if panel["kind"] == "table":
        for query in queries:
            query.update(format="table", instant=True)
    return {"id": ident, "type": panel["kind"], "title": panel["title"], "description": panel["text"],
            "datasource": DATASOURCE, "gridPos": {"x": x, "y": y, "w": width, "h": height}, "targets": queries} | shape


def make_row(title, collapsed, panels, ident, y):
    """The row's panels under its head; returns them with the next id and y."""
    head = {"id": ident, "type": "row", "title": title, "collapsed": collapsed, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
    made, ident, y, x = [], ident + 1, y + 1, 0
    for panel in panels:
        width, height = (4, 4) if panel["kind"] == "stat" else (8, 7)
        if x + width > 24:
            x, y = 0, y + height
        made.append(make_panel(panel, ident, x, y, width, height))
        ident, x = ident + 1, x + width
    y += made[-1]["gridPos"]["h"]
    if collapsed:
        head["panels"] = made
        return [head], ident, y
    return [head] + made, ident, y


def variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "refresh": 2, "sort": 1,
            "query": {"query": query, "refId": name}, "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"text": "All", "value": "$__all"}}


def annotation(name, color, expr, text):
    return {"name": name, "enable": True, "iconColor": color, "datasource": DATASOURCE, "expr": expr,
            "titleFormat": text, "step": "15s"}


def dashboard():
    panels, ident, y = [], 1, 0
    for title, collapsed, row in ROWS:
        made, ident, y = make_row(title, collapsed, row, ident, y)
        panels += made
    return {
        "uid": "zokio", "title": "zokio", "description": "One zokiod, or several: jobs, runtime, journal, soak.",
        "tags": ["zokio"], "schemaVersion": 39, "editable": True, "graphTooltip": 1, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
            variable("instance", "Instance", "label_values(zokio_build_info, instance)"),
            variable("op", "Operation", 'label_values(zokio_io_operations_total{instance=~"$instance"}, op)'),
        ]},
        "annotations": {"list": [annotation(*a) for a in ANNOTATIONS]},
        "panels": panels,
    }


def main():
    text = json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what generate.py writes; run it")
        return
    TARGET.write_text(text)


if __name__ == "__main__":
    main()

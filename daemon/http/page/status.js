// SPDX-License-Identifier: Apache-2.0
// The status page: asks for /api/v1/stats once a second and draws it. No library, no remote asset.
// Text from the server is only ever set as text, never as markup.
'use strict';

const kKeep = 120;   // documents kept: two minutes
const kWindow = 10;  // documents that rates and latencies are taken over
const documents = [];

const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// ---- numbers for people

function count(n) {
  if (!Number.isFinite(n)) return '–';
  const a = Math.abs(n);
  if (a >= 1e9) return (n / 1e9).toFixed(2) + ' G';
  if (a >= 1e6) return (n / 1e6).toFixed(2) + ' M';
  if (a >= 1e4) return (n / 1e3).toFixed(1) + ' k';
  return a >= 100 || Number.isInteger(n) ? n.toFixed(0) : n.toFixed(1);
}
function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (Math.abs(n) >= 1024 && i < units.length - 1) { n /= 1024; ++i; }
  return (i === 0 || Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1)) + ' ' + units[i];
}
function time(ns) {
  if (ns === null || !Number.isFinite(ns)) return '–';
  if (ns >= 1e9) return (ns / 1e9).toFixed(2) + ' s';
  if (ns >= 1e6) return (ns / 1e6).toFixed(ns >= 1e8 ? 0 : 1) + ' ms';
  if (ns >= 1e3) return (ns / 1e3).toFixed(ns >= 1e5 ? 0 : 1) + ' µs';
  return ns.toFixed(0) + ' ns';
}
const percent = (x) => (100 * x).toFixed(0) + ' %';
function age(seconds) {
  const s = Math.floor(seconds), d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24;
  const m = Math.floor(s / 60) % 60;
  if (d > 0) return d + ' d ' + h + ' h';
  if (h > 0) return h + ' h ' + m + ' min';
  return m > 0 ? m + ' min ' + (s % 60) + ' s' : s + ' s';
}

// ---- figures of an interval

const seconds = (a, b) => Math.max((b.unix_ms - a.unix_ms) / 1000, 1e-3);

// The value below which the share q of the events between two histograms lies; null: none came.
function quantile(before, after, q) {
  const old = new Map(before ? before.buckets : []);
  const fresh = after.buckets.map(([bound, n]) => [bound, n - (old.get(bound) || 0)]);
  const total = fresh.reduce((sum, [, n]) => sum + n, 0);
  if (total <= 0) return null;
  let seen = 0;
  for (const [bound, n] of fresh) {
    seen += n;
    if (seen >= q * total) return bound;
  }
  return fresh[fresh.length - 1][0];
}
function merge(histograms) {
  const all = new Map();
  for (const h of histograms) for (const [bound, n] of h.buckets) all.set(bound, (all.get(bound) || 0) + n);
  return {buckets: [...all].sort((a, b) => a[0] - b[0])};
}
const finished = (d) => d.jobs.kinds.reduce(
  (sum, k) => sum + k.finished.succeeded + k.finished.failed + k.finished.cancelled + k.finished.timed_out, 0);
const by = (list, key, value) => (list || []).find((x) => x[key] === value);

// ---- charts

const kCharts = [
  {title: 'Jobs finished', unit: (v) => count(v) + '/s', lines: [
    {name: 'finished', color: '--accent', value: (a, b) => (finished(b) - finished(a)) / seconds(a, b)}]},
  {title: 'Ready tasks and queued jobs', unit: count, lines: [
    {name: 'tasks', color: '--accent', value: (a, b) => b.scheduler.injector_depth +
      b.scheduler.workers.reduce((s, w) => s + w.queue_depth, 0)},
    {name: 'jobs', color: '--second', value: (a, b) => b.jobs.queued}]},
  {title: 'Scheduling delay p99', unit: time, lines: [
    {name: 'ready to running', color: '--accent', value: (a, b) => quantile(a.scheduler.delay, b.scheduler.delay, 0.99)}]},
  {title: 'I/O latency', unit: time, lines: [
    {name: 'p50', color: '--accent', value: (a, b) => quantile(merge(a.io.ops.map((o) => o.duration)),
      merge(b.io.ops.map((o) => o.duration)), 0.5)},
    {name: 'p99', color: '--second', value: (a, b) => quantile(merge(a.io.ops.map((o) => o.duration)),
      merge(b.io.ops.map((o) => o.duration)), 0.99)}]},
  {title: 'Worker utilisation', unit: percent, max: 1, lines: [
    {name: 'mean of live workers', color: '--accent', value: utilisation}]},
  {title: 'Steals', unit: (v) => count(v) + '/s', lines: [
    {name: 'tasks moved', color: '--accent', value: (a, b) => sumDelta(a, b, 'stolen_tasks') / seconds(a, b)}]},
  {title: 'I/O bytes', binary: true, unit: (v) => bytes(v) + '/s', lines: [
    {name: 'all operations', color: '--accent', value: (a, b) =>
      (b.io.ops.reduce((s, o) => s + o.bytes, 0) - a.io.ops.reduce((s, o) => s + o.bytes, 0)) / seconds(a, b)}]},
  {title: 'Memory', binary: true, unit: bytes, lines: [
    {name: 'resident, anonymous', color: '--accent', value: (a, b) => b.process.rss_anon_bytes},
    {name: 'pools', color: '--third', value: (a, b) => b.pools.reduce((s, p) => s + p.in_use_bytes + p.cached_bytes, 0)}]},
];

function sumDelta(a, b, field) {
  return b.scheduler.workers.reduce((sum, w) => {
    const old = by(a.scheduler.workers, 'slot', w.slot);
    return sum + w[field] - (old ? old[field] : 0);
  }, 0);
}
function utilisation(a, b) {
  const live = b.scheduler.workers.filter((w) => w.state !== 'empty').length;
  return Math.min(1, live === 0 ? 0 : sumDelta(a, b, 'busy_ns') / 1e9 / seconds(a, b) / live);
}

function makeCharts() {
  for (const chart of kCharts) {
    const card = document.createElement('div');
    card.className = 'card chart';
    const head = document.createElement('div');
    head.className = 'head';
    const title = document.createElement('h2');
    title.textContent = chart.title;
    chart.now = document.createElement('span');
    chart.now.className = 'now';
    head.append(title, chart.now);
    chart.canvas = document.createElement('canvas');
    chart.canvas.setAttribute('role', 'img');
    chart.canvas.setAttribute('aria-label', chart.title);
    const legend = document.createElement('div');
    legend.className = 'legend';
    if (chart.lines.length > 1) {
      for (const line of chart.lines) {
        const item = document.createElement('span'), mark = document.createElement('i');
        mark.style.background = `var(${line.color})`;
        item.append(mark, line.name);
        legend.append(item);
      }
    } else {
      legend.textContent = chart.lines[0].name;
    }
    card.append(head, chart.canvas, legend);
    $('charts').append(card);
  }
}

// A round number at or above v, for the top of an axis; of bytes a power of two.
function ceiling(v, binary) {
  if (!(v > 0)) return 1;
  if (binary) return Math.pow(2, Math.ceil(Math.log2(v)));
  const power = Math.pow(10, Math.floor(Math.log10(v)));
  for (const step of [1, 2, 5, 10]) if (v <= step * power) return step * power;
  return 10 * power;
}

function drawChart(chart) {
  const canvas = chart.canvas, scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const g = canvas.getContext('2d');
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);

  const series = chart.lines.map((line) => documents.slice(1).map((d, i) => line.value(documents[i], d)));
  const values = series.flat().filter((v) => v !== null && Number.isFinite(v));
  const top = chart.max || ceiling(Math.max(0, ...values), chart.binary);
  const y = (v) => height - 1 - (height - 14) * Math.min(1, Math.max(0, v / top));
  const x = (i, n) => width - (n - 1 - i) * width / (kKeep - 2);

  g.strokeStyle = css('--grid');
  g.lineWidth = 1;
  for (const share of [0, 0.5, 1]) {
    g.beginPath();
    g.moveTo(0, Math.round(y(top * share)) + 0.5);
    g.lineTo(width, Math.round(y(top * share)) + 0.5);
    g.stroke();
  }
  g.fillStyle = css('--dim');
  g.font = '10px system-ui, "DejaVu Sans", sans-serif';
  g.fillText(chart.unit(top), 0, 10);

  chart.lines.forEach((line, s) => {
    g.strokeStyle = css(line.color);
    g.lineWidth = 1.6;
    g.lineJoin = 'round';
    g.beginPath();
    let pen = false;
    series[s].forEach((v, i) => {
      if (v === null || !Number.isFinite(v)) { pen = false; return; }
      const px = x(i, series[s].length), py = y(v);
      if (pen) g.lineTo(px, py); else g.moveTo(px, py);
      if (!pen && (i + 1 >= series[s].length || series[s][i + 1] === null)) g.lineTo(px + 1, py);
      pen = true;
    });
    g.stroke();
  });

  chart.now.replaceChildren(...chart.lines.flatMap((line, s) => {
    const v = series[s].length ? series[s][series[s].length - 1] : null;
    const b = document.createElement('b');
    b.textContent = v === null || !Number.isFinite(v) ? '–' : chart.unit(v);
    return s === 0 ? [b] : [' · ', b];
  }));
}

// ---- tables

// Cells are text, or DOM nodes. Columns named in `text` are aligned left.
function table(id, columns, rows, empty, text = []) {
  const head = document.createElement('tr');
  columns.forEach((name, i) => {
    const th = document.createElement('th');
    th.textContent = name;
    if (text.includes(i)) th.className = 'text';
    head.append(th);
  });
  const body = rows.map(({cells, gone}) => {
    const tr = document.createElement('tr');
    if (gone) tr.className = 'gone';
    cells.forEach((cell, i) => {
      const td = document.createElement('td');
      td.append(cell instanceof Node ? cell : String(cell));
      if (text.includes(i)) td.className = 'text';
      tr.append(td);
    });
    return tr;
  });
  if (body.length === 0) {
    const tr = document.createElement('tr'), td = document.createElement('td');
    td.colSpan = columns.length;
    td.className = 'empty';
    td.textContent = empty;
    tr.append(td);
    body.push(tr);
  }
  const thead = document.createElement('thead'), tbody = document.createElement('tbody');
  thead.append(head);
  tbody.append(...body);
  $(id).replaceChildren(thead, tbody);
}

function bar(share, label) {
  const all = document.createElement('span'), frame = document.createElement('span');
  const fill = document.createElement('i');
  frame.className = 'bar';
  fill.style.width = (100 * Math.min(1, Math.max(0, share))).toFixed(1) + '%';
  frame.append(fill);
  all.append(frame, label);
  return all;
}

function workers(a, b) {
  const dt = seconds(a, b);
  const live = b.scheduler.workers.filter((w) => w.state !== 'empty');
  $('workers-note').textContent = `${live.length} of ${b.scheduler.workers_desired} wanted · ` +
    `injector ${count(b.scheduler.injector_depth)} · timers ${count(b.scheduler.timers_pending)} · ` +
    `blocking ${b.scheduler.blocking_busy}/${b.scheduler.blocking_threads}`;
  table('workers', ['slot', 'state', 'busy', 'ready', 'polls/s', 'parks/s', 'stolen/s'],
    b.scheduler.workers.map((w) => {
      const old = by(a.scheduler.workers, 'slot', w.slot) || {busy_ns: 0, polls: 0, parks: 0, stolen_tasks: 0};
      const busy = Math.min(1, (w.busy_ns - old.busy_ns) / 1e9 / dt);
      return {gone: w.state === 'empty', cells: [w.slot, w.state === 'empty' ? 'retired' : w.state,
        bar(busy, percent(busy)), count(w.queue_depth), count((w.polls - old.polls) / dt),
        count((w.parks - old.parks) / dt), count((w.stolen_tasks - old.stolen_tasks) / dt)]};
    }), 'no worker', [1]);
}

function reactors(a, b) {
  const dt = seconds(a, b);
  $('reactors-note').textContent = `${b.io.backend} · ${b.io.reactors_desired} wanted · ` +
    `${count(b.io.file_ops_blocking)} file operations on blocking threads`;
  table('reactors', ['slot', 'state', 'backend', 'host', 'in flight', 'submitted/s', 'enters/s'],
    b.io.reactors.map((r) => {
      const old = by(a.io.reactors, 'slot', r.slot) || {submissions: 0, enters: 0};
      return {gone: r.state === 'empty', cells: [r.slot, r.state === 'empty' ? 'retired' : r.state,
        r.backend, r.host, count(r.inflight), count((r.submissions - old.submissions) / dt),
        count((r.enters - old.enters) / dt)]};
    }), 'no reactor', [1, 2, 3]);
}

function operations(a, b) {
  const dt = seconds(a, b);
  const rows = b.io.ops.filter((o) => o.ok + o.error + o.cancelled > 0).map((o) => {
    const old = a.io.ops.find((x) => x.op === o.op && x.backend === o.backend);
    const n = o.ok + o.error + o.cancelled - (old ? old.ok + old.error + old.cancelled : 0);
    const before = old ? old.duration : null;
    return {cells: [o.op, o.backend, count(n / dt), bytes((o.bytes - (old ? old.bytes : 0)) / dt) + '/s',
      time(quantile(before, o.duration, 0.5)), time(quantile(before, o.duration, 0.99)), count(o.error)]};
  });
  table('ops', ['operation', 'backend', 'per s', 'bytes', 'p50', 'p99', 'errors'], rows,
    'No I/O yet.', [1]);
}

function pools(b) {
  table('pools', ['pool', 'in use', 'cached', 'limit', 'high water', 'objects', 'hits', 'refused'],
    b.pools.map((p) => {
      const all = p.hits_thread + p.hits_shared + p.misses_os;
      const limit = p.limit_bytes > 0 ? bytes(p.limit_bytes) + (p.shrinking ? ' (shrinking)' : '') : 'none';
      const use = p.limit_bytes > 0 ? bar(p.in_use_bytes / p.limit_bytes, bytes(p.in_use_bytes)) : bytes(p.in_use_bytes);
      return {cells: [p.name, use, bytes(p.cached_bytes), limit, bytes(p.high_water_bytes),
        count(p.objects_in_use), all ? (100 * (1 - p.misses_os / all)).toFixed(2) + ' %' : '–', count(p.failures)]};
    }), 'no pool');
}

function jobs(a, b) {
  const j = b.jobs, dt = seconds(a, b);
  const oldest = j.oldest_queued_unix_ms > 0 ? ` · oldest waits ${age((b.unix_ms - j.oldest_queued_unix_ms) / 1000)}` : '';
  $('jobs-note').textContent = `${count(j.running)} running of at most ${j.concurrency} · ` +
    `${count(j.queued)} queued of at most ${count(j.queue_limit)}${oldest} · journal ${bytes(j.journal.size_bytes)}, ` +
    `commit p99 ${time(j.journal.fsync.p99_ns)}`;
  table('kinds', ['kind', 'allowed', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'cancelled',
    'timed out', 'per s', 'wait p99', 'run p50', 'run p99', 'rejected'],
  j.kinds.map((k) => {
    const old = by(a.jobs.kinds, 'kind', k.kind);
    return {gone: !k.allowed, cells: [k.kind, k.allowed ? 'yes' : 'no', count(k.states.queued),
      count(k.states.running), count(k.states.retrying), count(k.finished.succeeded), count(k.finished.failed),
      count(k.finished.cancelled), count(k.finished.timed_out),
      count((k.finished.succeeded - (old ? old.finished.succeeded : 0)) / dt),
      time(k.queue_wait.count ? k.queue_wait.p99_ns : null), time(k.run.count ? k.run.p50_ns : null),
      time(k.run.count ? k.run.p99_ns : null), count(k.rejected)]};
  }), 'no kind', [1]);
}

function soak(b) {
  $('soak-card').hidden = !b.soak.running && b.soak.checks.length === 0;
  $('soak-note').textContent = (b.soak.running ? 'running for ' + age((b.unix_ms - b.soak.start_unix_ms) / 1000)
    : 'ended') + ` · ${count(b.soak.resizes)} resizes` +
    (b.soak.running ? ' · checks as judged so far' : '');
  $('soak-checks').replaceChildren(...b.soak.checks.map((c) => {
    const chip = document.createElement('span');
    chip.className = 'chip ' + ({pass: 'good', fail: 'bad'}[c.state] || 'warn');
    chip.textContent = c.name + ': ' + c.state;
    return chip;
  }));
}

// ---- the whole

function header(b) {
  const s = b.server, state = $('state');
  state.textContent = s.state;
  state.className = 'badge ' + ({serving: 'good', stopping: 'bad', degraded: 'bad'}[s.state] || 'warn');
  $('facts').textContent = [`version ${s.version} (${s.revision})`,
    'up ' + age(b.unix_ms / 1000 - b.process.start_unix_s), b.io.backend,
    `${b.process.threads} threads`, `${b.process.open_fds} fds`,
    `configuration ${s.config_generation}`].join(' · ');
  const problems = [];
  if (b.io.fallback_reason) problems.push('io_uring is not used, epoll is: ' + b.io.fallback_reason);
  if (!b.jobs.journal.healthy) problems.push('The journal cannot be written: ' + b.jobs.journal.error);
  if (!s.last_reload_ok) problems.push('The last reload of the configuration failed; the old one is in force.');
  if (b.jobs.lost + b.jobs.duplicate_executions > 0) {
    problems.push(`${b.jobs.lost} jobs lost, ${b.jobs.duplicate_executions} executed twice.`);
  }
  warn(problems.join(' '), !b.jobs.journal.healthy || b.jobs.lost > 0);
}

function warn(text, bad) {
  const alert = $('alert');
  alert.hidden = text === '';
  alert.textContent = text;
  alert.className = bad ? 'alert bad' : 'alert';
}

function draw() {
  const b = documents[documents.length - 1];
  const a = documents[Math.max(0, documents.length - 1 - kWindow)];
  header(b);
  for (const chart of kCharts) drawChart(chart);
  workers(a, b);
  reactors(a, b);
  operations(a, b);
  pools(b);
  jobs(a, b);
  soak(b);
}

async function refresh() {
  try {
    const response = await fetch('api/v1/stats', {signal: AbortSignal.timeout(5000)});
    if (!response.ok) throw new Error('HTTP ' + response.status);
    const document_ = await response.json();
    const last = documents[documents.length - 1];
    // A restart begins again: figures of another process do not go into one rate.
    if (last && last.process.start_unix_s !== document_.process.start_unix_s) documents.length = 0;
    documents.push(document_);
    if (documents.length > kKeep) documents.shift();
    draw();
  } catch (error) {
    const state = $('state');
    state.textContent = 'unreachable';
    state.className = 'badge bad';
    warn('No answer from the daemon: ' + error.message, true);
  }
  setTimeout(refresh, 1000);
}

makeCharts();
window.addEventListener('resize', () => { if (documents.length) draw(); });
refresh();

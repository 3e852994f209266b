// SPDX-License-Identifier: Apache-2.0
// report.html: one file without script and without anything remote, also enforced by its own
// policy. Every text that is not ours goes through escape_html.

#include <ctime>
#include <functional>

#include "soak/report.h"

namespace zokiod::soak {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--line:#e2e5ea;--grid:#eceef2;--text:#1b1f27;
--dim:#667085;--c1:#2563c9;--c2:#c2570c;--c3:#0f8a68;--good:#0f8a4b;--warn:#a66300;--bad:#c4281c;
--good-bg:#e4f5ea;--warn-bg:#fdf1dc;--bad-bg:#fde8e6;--warm:#eef1f6;--mark:#d5cdec}
@media(prefers-color-scheme:dark){:root{--bg:#11141a;--card:#191d25;--line:#2a303b;--grid:#242a34;
--text:#e6e9ef;--dim:#98a2b3;--c1:#6ea0f5;--c2:#f0935a;--c3:#4cc9a0;--good:#57cf8d;--warn:#e7ae52;
--bad:#f4837a;--good-bg:#16301f;--warn-bg:#33270f;--bad-bg:#381815;--warm:#1f242e;--mark:#43396b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);
font:14px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:1380px;margin:0 auto;padding:22px 24px 40px}
h1{font-size:22px;margin:0;letter-spacing:-.01em}h2{font-size:16px;margin:28px 0 10px}
.top{display:flex;flex-wrap:wrap;gap:8px 18px;align-items:center;padding:16px 20px;
background:var(--card);border:1px solid var(--line);border-radius:12px}
.verdict{font-size:20px;font-weight:700;padding:4px 18px;border-radius:9px}
.pass{background:var(--good-bg);color:var(--good)}.fail{background:var(--bad-bg);color:var(--bad)}
.inconclusive{background:var(--warn-bg);color:var(--warn)}
.facts{color:var(--dim);flex:1 1 420px}.note{padding:9px 14px;border-radius:8px;margin:12px 0 0;
background:var(--warn-bg);color:var(--warn)}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:6px 18px;
overflow-x:auto}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:500;color:var(--dim);font-size:12px;padding:8px 10px 5px;
border-bottom:1px solid var(--line);white-space:nowrap}
td{padding:6px 10px;border-bottom:1px solid var(--grid);vertical-align:top}
tr:last-child td{border-bottom:0}td:first-child,th:first-child{padding-left:0}
td.n{white-space:nowrap}th.n,td.n{text-align:right}td.why{color:var(--dim);min-width:240px}
.badge{display:inline-block;padding:0 9px;border-radius:99px;font-size:12px;font-weight:600}
.grid2{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:12px 14px 6px;min-width:0}
figcaption{font-weight:600;font-size:13px;display:flex;justify-content:space-between;gap:10px}
.legend{font-weight:400;color:var(--dim);font-size:12px;display:flex;gap:12px}
.legend i{display:inline-block;width:12px;height:3px;border-radius:2px;margin-right:5px;
vertical-align:middle}
i.c1{background:var(--c1)}i.c2{background:var(--c2)}i.c3{background:var(--c3)}
svg{width:100%;height:auto;display:block}.grid{stroke:var(--grid)}
.tick{font-size:10.5px;fill:var(--dim)}.warmup{fill:var(--warm)}
.resize{stroke:var(--mark);stroke-width:1}.resize.failed{stroke:var(--bad);stroke-width:2}
.line{fill:none;stroke-width:1.5;stroke-linejoin:round}
.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}
.key{color:var(--dim);font-size:12px;margin:8px 2px 12px}
.key b{font-weight:400;display:inline-block;width:14px;height:10px;border-radius:2px;
margin:0 5px 0 14px;vertical-align:-1px}.key b:first-child{margin-left:0}
.key .w{background:var(--warm);border:1px solid var(--line)}.key .r{width:2px;background:var(--mark)}
ul{margin:8px 0;padding-left:20px;overflow-wrap:anywhere}
@media(max-width:900px){.grid2{grid-template-columns:minmax(0,1fr)}main{padding:14px}}
@media print{body{background:#fff}.card,figure,.top{break-inside:avoid}}
)css";

std::string when(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

std::string td(const std::string& text, const char* cls = nullptr) {
  return (cls != nullptr ? "<td class=\"" + std::string(cls) + "\">" : "<td>") + escape_html(text) +
         "</td>";
}

std::string head(const Record& record, const Verdict& verdict) {
  const std::string state(to_string(verdict.state));
  const Plan& plan = record.plan;
  std::string out = "<div class=\"top\"><h1>Soak " + escape_html(record.run_id) + "</h1>" +
                    "<span class=\"verdict " + state + "\">" +
                    std::string(verdict_name(verdict.state)) + "</span><span class=\"facts\">";
  out += escape_html("profile " + plan.profile + " · seed " + std::to_string(plan.seed) + " · " +
                     when(record.start_unix_ms) + " · " + format_value(record.elapsed_s, "s") +
                     " of " + format_value(plan.duration_s, "s") + ", the first " +
                     format_value(plan.warmup_s, "s") + " warm-up · " +
                     format_value(plan.rate, "jobs/s offered"));
  out += "</span></div>";
  const auto note = [&out](const std::string& text) {
    out += "<p class=\"note\">" + escape_html(text) + "</p>";
  };
  if (record.phase != Phase::Done) {
    note("It has not ended (" + std::string(phase_name(record.phase)) +
         "): this is what is known so far.");
  }
  if (record.stopped_early) note("It was stopped before its time: " + record.stop_reason + ".");
  if (plan.inject.leak_bytes_per_second != 0) {
    note("A leak of " +
         format_value(static_cast<double>(plan.inject.leak_bytes_per_second), "bytes/s") +
         " was injected on purpose: this soak must not pass.");
  }
  if (plan.inject.drop_job) {
    note("One job was acknowledged and dropped on purpose: this soak must not pass.");
  }
  return out;
}

std::string check_table(const Verdict& verdict) {
  std::string out =
      "<h2>Checks</h2><div class=\"card\"><table><thead><tr><th>check</th><th>state</th>"
      "<th class=\"n\">value</th><th class=\"n\">95 % interval</th><th class=\"n\">limit</th>"
      "<th>why</th></tr></thead><tbody>";
  for (const Check& c : verdict.checks) {
    const std::string state(to_string(c.state));
    out += "<tr>" + td(c.title) + "<td><span class=\"badge " + state + "\">" + state +
           "</span></td>" + td(value_text(c), "n");
    out += td(c.interval ? format_value(c.interval->low, c.unit) + " to " +
                               format_value(c.interval->high, c.unit)
                         : "",
              "n");
    out += td((c.at_least ? "at least " : "at most ") + format_value(c.limit, c.unit), "n") +
           td(c.why, "why") + "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string accounting(const Record& record) {
  const Accounting& a = record.jobs;
  const std::pair<const char*, uint64_t> rows[] = {
      {"due by the plan", a.offered},
      {"not sent: too many sends were waiting", a.skipped},
      {"refused", a.rejected},
      {"acknowledged", a.acknowledged},
      {"succeeded", a.succeeded},
      {"failed, timed out or cancelled", a.failed},
      {"still under way", a.outstanding},
      {"lost: acknowledged, never ended", a.lost},
      {"ended more than once", a.duplicates},
      {"with a result that does not verify", a.mismatches}};
  std::string out = "<div><h2>Jobs</h2><div class=\"card\"><table><tbody>";
  for (const auto& [name, value] : rows) {
    out += "<tr>" + td(name) + td(std::to_string(value), "n") + "</tr>";
  }
  out += "</tbody></table></div>";
  for (const auto& [reason, count] : a.errors) {
    out += "<p class=\"note\">" + escape_html(reason + ": " + std::to_string(count) + " times") +
           "</p>";
  }
  if (!a.examples.empty()) {
    out += "<ul>";
    for (const std::string& example : a.examples) out += "<li>" + escape_html(example) + "</li>";
    out += "</ul>";
  }
  return out + "</div>";
}

std::string environment(const Record& record) {
  std::string out = "<div><h2>Environment</h2><div class=\"card\"><table><tbody>";
  for (const auto& [name, value] : record.environment) {
    out += "<tr>" + td(name) + td(value) + "</tr>";
  }
  out += "<tr>" + td("resizes") + td(std::to_string(record.resizes.size())) + "</tr>";
  out += "<tr>" + td("samples") +
         td(std::to_string(record.samples.size()) + ", " + std::to_string(record.samples_missed) +
            " missed") +
         "</tr>";
  return out + "</tbody></table></div></div>";
}

using Pick = std::function<double(const Sample&)>;

Line line(const Record& record, std::string name, const char* color, const Pick& pick,
          const std::function<bool(const Sample&)>& has = {}) {
  Line out{.name = std::move(name), .color = color, .points = {}};
  for (const Sample& s : record.samples) {
    if (!has || has(s)) out.points.push_back({s.t, pick(s)});
  }
  return out;
}

// Jobs per second between neighbouring samples.
Line rate_line(const Record& record) {
  Line out{.name = "jobs", .color = "c1", .points = {}};
  for (size_t i = 1; i < record.samples.size(); ++i) {
    const Sample& a = record.samples[i - 1];
    const Sample& b = record.samples[i];
    if (b.t > a.t)
      out.points.push_back({b.t, static_cast<double>(b.finished - a.finished) / (b.t - a.t)});
  }
  return out;
}

std::vector<Chart> charts(const Record& r) {
  const auto number = [](auto field) {
    return [field](const Sample& s) { return static_cast<double>(s.*field); };
  };
  return {
      {"Memory",
       "bytes",
       {line(r, "anonymous, resident", "c1", number(&Sample::rss_anon_bytes)),
        line(r, "heap in use", "c2", number(&Sample::heap_in_use_bytes)),
        line(r, "pools, in use and cached", "c3",
             [](const Sample& s) {
               return static_cast<double>(s.pool_in_use_bytes + s.pool_cached_bytes);
             })}},
      {"Jobs finished by second", "/s", {rate_line(r)}},
      {"Scheduling delay p99",
       "s",
       {line(r, "p99", "c1", number(&Sample::sched_p99_s),
             [](const Sample& s) { return s.sched_count > 0; })}},
      {"I/O latency p99 (read, write, fsync)",
       "s",
       {line(r, "p99", "c1", number(&Sample::io_p99_s),
             [](const Sample& s) { return s.io_count > 0; })}},
      {"Job latency p99, from due to ended",
       "s",
       {line(r, "p99", "c1", number(&Sample::job_p99_s),
             [](const Sample& s) { return s.job_count > 0; })}},
      {"Jobs queued and running",
       "",
       {line(r, "queued", "c2", number(&Sample::queued)),
        line(r, "running", "c1", number(&Sample::running))}},
      {"Workers and reactors",
       "",
       {line(r, "workers", "c1", number(&Sample::workers)),
        line(r, "reactors", "c2", number(&Sample::reactors))}},
      {"Descriptors and threads",
       "",
       {line(r, "descriptors", "c1", number(&Sample::fds)),
        line(r, "threads", "c2", number(&Sample::threads))}},
  };
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string report_html(const Record& record, const Verdict& verdict) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Soak ";
  out += escape_html(record.run_id) + ": " + std::string(verdict_name(verdict.state)) +
         "</title><link rel=\"icon\" href=\"data:,\"><style>" + std::string(kStyle) +
         "</style></head><body><main>";
  out += head(record, verdict) + check_table(verdict);
  out +=
      "<h2>Over time</h2><p class=\"key\"><b class=\"w\"></b>warm-up, not judged"
      "<b class=\"r\"></b>a resize (point at one to read it)</p><div class=\"grid2\">";
  for (const Chart& chart : charts(record)) out += chart_svg(chart, record);
  out += "</div><div class=\"grid2\">" + accounting(record) + environment(record) + "</div>";
  return out + "</main></body></html>\n";
}

}  // namespace zokiod::soak

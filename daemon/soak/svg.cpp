// SPDX-License-Identifier: Apache-2.0
// Charts as inline SVG: no script, no style of their own beyond the page's classes.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "soak/report.h"

namespace zokiod::soak {
namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 190;
constexpr double kLeft = 74;  // room for the labels of the value axis
constexpr double kRight = 12;
constexpr double kTop = 12;
constexpr double kBottom = 24;
// More points than pixels only make the file large; a day has 8640.
constexpr size_t kPointsMax = 720;

struct Scale {
  double t_max = 1;
  double low = 0;
  double high = 1;
  double x(double t) const { return kLeft + (kWidth - kLeft - kRight) * t / t_max; }
  double y(double v) const {
    return kTop + (kHeight - kTop - kBottom) * (1 - (v - low) / (high - low));
  }
};

std::string print(const char* format, double a, double b = 0, double c = 0, double d = 0) {
  char text[256];
  std::snprintf(text, sizeof text, format, a, b, c, d);
  return text;
}

// The step of a readable axis with about four ticks.
double nice_step(double span) {
  const double raw = span / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

// Bytes read best in powers of two.
double step_for(double span, std::string_view unit) {
  if (!unit.starts_with("bytes")) return nice_step(span);
  double step = 1;
  while (step * 5 < span) step *= 2;
  return step;
}

Scale scale_of(const Chart& chart, const Record& record) {
  Scale scale;
  scale.t_max = std::max(1.0, record.elapsed_s);
  double low = 0;
  double high = 0;
  bool first = true;
  for (const Line& line : chart.lines) {
    for (const Point& p : line.points) {
      low = first ? p.v : std::min(low, p.v);
      high = first ? p.v : std::max(high, p.v);
      first = false;
    }
  }
  // From zero, unless that would flatten the line: memory of 200 MiB that grows by one.
  if (low > 0 && (high - low) > low * 0.5) low = 0;
  if (!(high > low)) high = low + std::max(1.0, std::fabs(low) * 0.1);
  if (chart.unit == "s" && high - low <= 1e-9) high = low + 1e-3;
  const double step = step_for(high - low, chart.unit);
  scale.low = std::floor(low / step) * step;
  scale.high = std::ceil(high / step) * step;
  return scale;
}

std::string axes(const Chart& chart, const Scale& scale) {
  std::string out;
  const double step = step_for(scale.high - scale.low, chart.unit);
  for (double v = scale.low; v <= scale.high + step / 2; v += step) {
    out += print("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft,
                 kWidth - kRight, scale.y(v), scale.y(v));
    out += print("<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", kLeft - 6,
                 scale.y(v) + 3.5) +
           escape_html(format_value(v, chart.unit)) + "</text>";
  }
  // Round in the unit that is shown.
  const double time_unit = scale.t_max > 7200 ? 3600 : scale.t_max > 300 ? 60 : 1;
  const double time_step = nice_step(scale.t_max * 0.8 / time_unit) * time_unit;
  for (double t = 0; t <= scale.t_max * 1.0001; t += time_step) {
    const std::string label = scale.t_max > 7200  ? print("%.3g h", t / 3600)
                              : scale.t_max > 300 ? print("%.3g min", t / 60)
                                                  : print("%.0f s", t);
    const bool at_end = scale.x(t) > kWidth - 3 * kRight;  // centred, it would be cut off
    out += print(at_end ? "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">"
                        : "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                 at_end ? kWidth - 1 : scale.x(t), kHeight - 7) +
           label + "</text>";
  }
  return out;
}

std::string marks(const Record& record, const Scale& scale) {
  std::string out;
  if (record.plan.warmup_s > 0) {
    const double end = std::min(scale.x(record.plan.warmup_s), scale.x(scale.t_max));
    out += print("<rect class=\"warmup\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                 kLeft, kTop, std::max(0.0, end - kLeft), kHeight - kTop - kBottom);
  }
  for (const ResizeDone& r : record.resizes) {
    const double x = scale.x(std::min(r.at_s, scale.t_max));
    out += r.ok ? "<line class=\"resize\"" : "<line class=\"resize failed\"";
    out +=
        print(" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\">", x, x, kTop, kHeight - kBottom);
    out += "<title>" + escape_html(r.what) + "</title></line>";
  }
  return out;
}

std::string polyline(const Line& line, const Scale& scale) {
  if (line.points.empty()) return "";
  std::string out = "<polyline class=\"line " + line.color + "\" points=\"";
  for (const Point& p : block_means(line.points, kPointsMax)) {
    out += print("%.1f,%.1f ", scale.x(p.t), scale.y(p.v));
  }
  return out + "\"/>";
}

}  // namespace

std::string chart_svg(const Chart& chart, const Record& record) {
  const Scale scale = scale_of(chart, record);
  std::string out = "<figure><figcaption>" + escape_html(chart.title) + "<span class=\"legend\">";
  if (chart.lines.size() > 1) {
    for (const Line& line : chart.lines) {
      out += "<span><i class=\"" + line.color + "\"></i>" + escape_html(line.name) + "</span>";
    }
  }
  out += "</span></figcaption>";
  out += print("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">", kWidth, kHeight);
  out += "<title>" + escape_html(chart.title) + "</title>";
  out += marks(record, scale) + axes(chart, scale);
  for (const Line& line : chart.lines) out += polyline(line, scale);
  return out + "</svg></figure>";
}

}  // namespace zokiod::soak

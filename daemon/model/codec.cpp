// SPDX-License-Identifier: Apache-2.0
#include "model/codec.h"

#include <charconv>
#include <map>
#include <optional>
#include <type_traits>
#include <vector>

namespace zokiod::model {
namespace {

using zokio::Duration;
using zokio::Errc;

template <class V>
void common_fields(V& v, JobSpec& s) {
  v("queue", s.queue);
  v("priority", s.priority);
  v("timeout_ns", s.timeout);
  v("attempts_max", s.retry.attempts_max);
  v("backoff_initial_ns", s.retry.backoff_initial);
  v("backoff_max_ns", s.retry.backoff_max);
  v("crashes_max", s.retry.crashes_max);
  v("delay_ns", s.delay);
  v("deadline_ns", s.deadline);
  v("after", s.after);
  v("on_failure", reinterpret_cast<uint8_t&>(s.on_failure));
  v("label", s.labels);
}

class Writer {
 public:
  void operator()(std::string_view name, const std::string& value) {
    if (!value.empty()) line(name, value);
  }
  void operator()(std::string_view name, Duration value) { number(name, value.count()); }
  template <std::integral T>
  void operator()(std::string_view name, T value) {
    number(name, value);
  }
  void operator()(std::string_view name, const std::vector<std::string>& values) {
    for (const auto& value : values) line(name, value);
  }
  void operator()(std::string_view name, const std::map<std::string, std::string>& values) {
    for (const auto& [key, value] : values) {
      // '=' ends the name, so a key carries it escaped.
      std::string full = std::string(name) + ".";
      for (const char c : key) {
        if (c == '=') {
          full += "\\e";
        } else {
          escape(full, c);
        }
      }
      raw_line(full, value);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  static void escape(std::string& out, char c) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
  void line(std::string_view name, std::string_view value) { raw_line(name, value); }
  void raw_line(std::string_view name, std::string_view value) {
    out_ += name;
    out_ += '=';
    for (const char c : value) escape(out_, c);
    out_ += '\n';
  }
  template <class T>
  void number(std::string_view name, T value) {
    // A default is not worth a line: most fields of most specs are 0.
    if (value != T{}) raw_line(name, std::to_string(+value));
  }

  std::string out_;
};

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case '\\':
        out += '\\';
        break;
      case 'e':
        out += '=';
        break;
      default:
        return std::nullopt;
    }
  }
  return out;
}

class Reader {
 public:
  // Splits into lines; false when one has no '=' or a bad escape.
  bool parse(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) return false;  // torn
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end + 1);
      const size_t eq = line.find('=');
      if (eq == std::string_view::npos) return false;
      auto name = unescape(line.substr(0, eq));
      auto value = unescape(line.substr(eq + 1));
      if (!name || !value) return false;
      lines_.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
  }
  bool ok() const { return ok_; }
  bool has(std::string_view name) const { return find(name) != nullptr; }

  void operator()(std::string_view name, std::string& out) {
    out.clear();
    if (const std::string* value = find(name)) out = *value;
  }
  void operator()(std::string_view name, Duration& out) {
    int64_t ns = 0;
    (*this)(name, ns);
    out = Duration(ns);
  }
  template <std::integral T>
  void operator()(std::string_view name, T& out) {
    out = T{};
    const std::string* value = find(name);
    if (value == nullptr) return;
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    Wide wide{};
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, wide);
    if (error != std::errc{} || stop != end || static_cast<Wide>(static_cast<T>(wide)) != wide) {
      ok_ = false;
      return;
    }
    out = static_cast<T>(wide);
  }
  void operator()(std::string_view name, std::vector<std::string>& out) {
    for (const auto& [n, value] : lines_)
      if (n == name) out.push_back(value);
  }
  void operator()(std::string_view name, std::map<std::string, std::string>& out) {
    for (const auto& [n, value] : lines_) {
      if (n.size() > name.size() && n.starts_with(name) && n[name.size()] == '.')
        out.emplace(n.substr(name.size() + 1), value);
    }
  }

 private:
  const std::string* find(std::string_view name) const {
    for (const auto& [n, value] : lines_)
      if (n == name) return &value;
    return nullptr;
  }

  std::vector<std::pair<std::string, std::string>> lines_;
  bool ok_ = true;
};

// Finds the alternative by kind; false: none.
template <size_t I = 0>
bool emplace_work(std::string_view kind, Work& work) {
  if constexpr (I == std::variant_size_v<Work>) {
    return false;
  } else {
    if (std::variant_alternative_t<I, Work>::kKind != kind) return emplace_work<I + 1>(kind, work);
    work.template emplace<I>();
    return true;
  }
}

template <size_t I = 0>
bool emplace_result(size_t index, JobResult& result) {
  if constexpr (I == std::variant_size_v<JobResult>) {
    return false;
  } else {
    if (index != I) return emplace_result<I + 1>(index, result);
    result.template emplace<I>();
    return true;
  }
}

}  // namespace

std::string encode_spec(const JobSpec& spec) {
  JobSpec copy = spec;  // fields() serves reading, too, and takes it mutable
  Writer writer;
  common_fields(writer, copy);
  std::visit([&](auto& work) { fields(writer, work); }, copy.work);
  return writer.take();
}

zokio::Result<JobSpec> decode_spec(std::string_view kind, std::string_view text) {
  JobSpec spec;
  if (!emplace_work(kind, spec.work)) return zokio::fail(Errc::InvalidArgument, "job kind");
  Reader reader;
  if (!reader.parse(text)) return zokio::fail(Errc::DataLoss, "job spec");
  common_fields(reader, spec);
  std::visit([&](auto& work) { fields(reader, work); }, spec.work);
  if (!reader.ok()) return zokio::fail(Errc::DataLoss, "job spec");
  return spec;
}

std::string encode_queue(const QueueSpec& spec) {
  QueueSpec copy = spec;
  Writer writer;
  fields(writer, copy);
  return writer.take();
}

zokio::Result<QueueSpec> decode_queue(std::string_view name, std::string_view text) {
  QueueSpec spec;
  Reader reader;
  if (!reader.parse(text)) return zokio::fail(Errc::DataLoss, "queue spec");
  fields(reader, spec);
  if (!reader.ok() || spec.mode > QueueMode::Draining)
    return zokio::fail(Errc::DataLoss, "queue spec");
  spec.name = name;
  return spec;
}

std::string encode_result(const JobResult& result) {
  JobResult copy = result;
  std::string out = "type=" + std::to_string(result.index()) + "\n";
  std::visit(
      [&](auto& value) {
        if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, std::monostate>) {
          Writer writer;
          fields(writer, value);
          out += writer.take();
        }
      },
      copy);
  return out;
}

zokio::Result<JobResult> decode_result(std::string_view text) {
  Reader reader;
  if (!reader.parse(text)) return zokio::fail(Errc::DataLoss, "job result");
  uint32_t type = 0;
  reader("type", type);
  JobResult result;
  if (!reader.has("type") || !reader.ok() || !emplace_result(type, result))
    return zokio::fail(Errc::DataLoss, "job result");
  std::visit(
      [&](auto& value) {
        if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(value)>, std::monostate>)
          fields(reader, value);
      },
      result);
  if (!reader.ok()) return zokio::fail(Errc::DataLoss, "job result");
  return result;
}

}  // namespace zokiod::model

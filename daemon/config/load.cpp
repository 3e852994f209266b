// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <tuple>

#include "config/suggest.h"
#include "config/units.h"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace zokiod::config {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

// Puts `node` into the place that a row names; returns what is wrong, or nothing.
class Assign {
 public:
  Assign(const Field& field, const toml::node& node) : field_(field), node_(node) {}

  std::string operator()(bool* out) const {
    const auto value = node_.value_exact<bool>();
    if (!value) return expected("true or false");
    *out = *value;
    return {};
  }
  std::string operator()(uint32_t* out) const {
    const auto value = node_.value_exact<int64_t>();
    if (!value) return expected("a whole number");
    if (*value < 0 || static_cast<uint64_t>(*value) > UINT32_MAX)
      return fmt::format("{} is not between {} and {}", *value, field_.min, field_.max);
    if (auto wrong = range(static_cast<uint64_t>(*value)); !wrong.empty()) return wrong;
    *out = static_cast<uint32_t>(*value);
    return {};
  }
  std::string operator()(Bytes* out) const {
    std::optional<Bytes> value;
    if (const auto number = node_.value_exact<int64_t>()) {
      if (*number < 0) return fmt::format("{} is below 0", *number);
      value = Bytes{static_cast<uint64_t>(*number)};
    } else if (const auto text = node_.value_exact<std::string>()) {
      value = parse_bytes(*text);
      if (!value) return fmt::format("\"{}\" is not a size: want bytes or \"64MiB\"", *text);
    } else {
      return expected("a size: bytes or \"64MiB\"");
    }
    if (auto wrong = range(value->count); !wrong.empty()) return wrong;
    *out = *value;
    return {};
  }
  std::string operator()(Span* out) const {
    std::optional<Span> value;
    if (const auto number = node_.value_exact<int64_t>(); number && *number == 0) {
      value = Span{};
    } else if (const auto text = node_.value_exact<std::string>()) {
      value = parse_span(*text);
      if (!value) return fmt::format("\"{}\" is not a duration: want \"500ms\" or \"30s\"", *text);
    } else {
      return expected("a duration such as \"30s\"");
    }
    if (auto wrong = range(static_cast<uint64_t>(value->value.count())); !wrong.empty())
      return wrong;
    *out = *value;
    return {};
  }
  std::string operator()(std::string* out) const {
    const auto value = node_.value_exact<std::string>();
    if (!value) return expected("text");
    if (!field_.choices.empty() &&
        std::ranges::find(field_.choices, *value) == field_.choices.end())
      return fmt::format("\"{}\" is not one of {}{}", *value, join(field_.choices),
                         did_you_mean(*value, field_.choices));
    *out = *value;
    return {};
  }
  std::string operator()(std::vector<std::string>* out) const {
    return list(out, "a list of texts",
                [](const toml::node& item) { return item.value_exact<std::string>(); });
  }
  std::string operator()(std::vector<uint32_t>* out) const {
    return list(out, "a list of whole numbers", [](const toml::node& item) {
      const auto value = item.value_exact<int64_t>();
      return value && *value >= 0 && *value <= UINT32_MAX - 1
                 ? std::optional(static_cast<uint32_t>(*value))
                 : std::nullopt;
    });
  }

 private:
  template <class T, class Get>
  std::string list(std::vector<T>* out, std::string_view wanted, Get get) const {
    const toml::array* items = node_.as_array();
    if (items == nullptr) return expected(wanted);
    std::vector<T> values;
    for (size_t i = 0; i < items->size(); ++i) {
      auto value = get(*items->get(i));
      if (!value) return fmt::format("item {}: want {}", i + 1, wanted);
      values.push_back(std::move(*value));
    }
    *out = std::move(values);
    return {};
  }
  static std::string join(std::span<const std::string_view> words) {
    std::string out;
    for (const auto word : words) out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
  }
  std::string expected(std::string_view wanted) const {
    return fmt::format("want {}, got {}", wanted, type_name(node_));
  }
  std::string range(uint64_t value) const {
    const bool bytes = std::holds_alternative<Bytes*>(shape());
    const bool span = std::holds_alternative<Span*>(shape());
    const auto text = [&](uint64_t v) {
      if (bytes) return format_bytes({v});
      if (span) return format_span({zokio::Duration(static_cast<int64_t>(v))});
      return std::to_string(v);
    };
    if (value < field_.min) return fmt::format("{} is below {}", text(value), text(field_.min));
    if (value > field_.max) return fmt::format("{} is above {}", text(value), text(field_.max));
    return {};
  }
  FieldRef shape() const {
    static Config any;  // only the type of the place matters
    return field_.ref(any);
  }

  const Field& field_;
  const toml::node& node_;
};

class Loader {
 public:
  explicit Loader(std::string_view name) : name_(name) {}

  void file(std::string_view text) {
    toml::parse_result parsed = toml::parse(text, name_);
    if (!parsed) {
      const auto& at = parsed.error().source().begin;
      problems_.push_back({{name_, at.line, at.column}, std::string(parsed.error().description())});
      return;
    }
    walk(parsed.table(), "");
  }

  // The value is TOML; what is not TOML is text, so that --set io.backend=epoll needs no quotes.
  void override_value(const Override& o) {
    toml::parse_result parsed = toml::parse("v = " + o.value);
    toml::table bare{{"v", o.value}};
    const toml::node* node = parsed ? parsed.table().get("v") : bare.get("v");
    if (parsed && parsed.table().size() != 1) node = bare.get("v");
    const Origin origin{o.flag, 0, 0};
    const Field* field = find_field(o.key);
    if (field == nullptr) {
      problems_.push_back({origin, fmt::format("unknown key \"{}\"{}", o.key, suggestion(o.key))});
      return;
    }
    // Text that looks like a number ("0660") is still text where the field is text.
    if (std::holds_alternative<std::string*>(field->ref(config_)) && !node->is_string())
      node = bare.get("v");
    assign(*field, *node, origin);
  }

  std::expected<Config, Problems> finish() {
    check(config_, origins_, problems_);
    if (problems_.empty()) return std::move(config_);
    // File errors in the order of the file, then the flags in theirs.
    std::ranges::sort(problems_, {}, [](const Problem& p) {
      return std::tuple(p.origin.line == 0 ? UINT32_MAX : p.origin.line, p.origin.column,
                        p.origin.source, p.message);
    });
    return std::unexpected(std::move(problems_));
  }

  Problems& problems() { return problems_; }

 private:
  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      const Field* field = find_field(path);
      const auto& at = key.source().begin;
      if (field != nullptr) {
        const auto& value_at = node.source().begin;
        assign(*field, node, {name_, value_at.line, value_at.column});
      } else if (node.is_table() && is_table(path)) {
        walk(*node.as_table(), path + ".");
      } else {
        problems_.push_back(
            {{name_, at.line, at.column},
             fmt::format("unknown {} \"{}\"{}", node.is_table() ? "table" : "key", path,
                         node.is_table() ? table_suggestion(path) : suggestion(path))});
      }
    }
  }

  void assign(const Field& field, const toml::node& node, Origin origin) {
    std::string wrong = std::visit(Assign(field, node), field.ref(config_));
    if (!wrong.empty())
      problems_.push_back({origin, std::string(field.key) + ": " + wrong});
    else
      origins_[std::string(field.key)] = std::move(origin);
  }

  static bool is_table(std::string_view path) {
    return std::ranges::any_of(fields(), [&](const Field& f) {
      return f.key.size() > path.size() && f.key.starts_with(path) && f.key[path.size()] == '.';
    });
  }
  static std::string suggestion(std::string_view key) {
    std::vector<std::string_view> keys;
    for (const Field& field : fields()) keys.push_back(field.key);
    return did_you_mean(key, keys);
  }
  static std::string table_suggestion(std::string_view path) {
    std::vector<std::string_view> tables;
    for (const Field& field : fields())
      for (size_t dot = field.key.find('.'); dot != std::string_view::npos;
           dot = field.key.find('.', dot + 1))
        tables.push_back(field.key.substr(0, dot));
    return did_you_mean(path, tables);
  }

  std::string name_;
  Config config_;
  std::map<std::string, Origin> origins_;
  Problems problems_;
};

}  // namespace

std::string Problem::to_string() const {
  if (origin.line == 0) return fmt::format("{}: {}", origin.source, message);
  return fmt::format("{}:{}:{}: {}", origin.source, origin.line, origin.column, message);
}

std::string to_string(const Problems& problems) {
  std::string out;
  for (const Problem& problem : problems) out += problem.to_string() + "\n";
  return out;
}

std::expected<Config, Problems> parse(std::string_view text, std::string_view name,
                                      const std::vector<Override>& overrides) {
  Loader loader(name);
  loader.file(text);
  for (const Override& o : overrides) loader.override_value(o);
  return loader.finish();
}

std::expected<Config, Problems> load(const Request& request) {
  const std::string path = request.path.empty() ? std::string(kDefaultPath) : request.path;
  std::error_code missing;
  if (request.path.empty() && !std::filesystem::exists(path, missing))
    return parse("", path, request.overrides);
  const auto refuse = [&](std::string why) {
    return std::unexpected(Problems{{{path, 0, 0}, std::move(why)}});
  };
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed))
    return refuse(failed ? failed.message() : "not a regular file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return refuse(std::strerror(errno));
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refuse(std::strerror(errno));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) return refuse("larger than 1 MiB");
  return parse(text, path, request.overrides);
}

}  // namespace zokiod::config

// SPDX-License-Identifier: Apache-2.0
#include "spec_args.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "units.h"

namespace zokioctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::unexpected<Failure> refuse(std::string message, std::string hint = "") {
  return std::unexpected(usage(std::move(message), std::move(hint)));
}

template <class T>
bool parse_integer(std::string_view text, T& out) {
  auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && at == text.data() + text.size();
}

template <class T>
bool parse_number(std::string_view text, bool is_size, T& out) {
  if (parse_integer(text, out)) return true;
  if (!is_size) return false;
  const auto bytes = parse_bytes(text);
  if (!bytes || *bytes > static_cast<uint64_t>(std::numeric_limits<T>::max())) return false;
  out = static_cast<T>(*bytes);
  return true;
}

// What a value should have been; empty: it was set.
std::string set_scalar(Message& m, const FieldDescriptor& f, std::string_view text) {
  const auto& r = *m.GetReflection();
  const bool is_size = f.name().ends_with("_bytes");
  const std::string wanted = is_size ? "a size like 64Ki" : "a number";
  uint64_t u64 = 0;
  uint32_t u32 = 0;
  int32_t i32 = 0;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT64:
      if (!parse_number(text, is_size, u64)) return wanted;
      r.SetUInt64(&m, &f, u64);
      return {};
    case FieldDescriptor::CPPTYPE_UINT32:
      if (!parse_number(text, is_size, u32)) return wanted;
      r.SetUInt32(&m, &f, u32);
      return {};
    case FieldDescriptor::CPPTYPE_INT32:
      if (!parse_number(text, is_size, i32)) return wanted;
      r.SetInt32(&m, &f, i32);
      return {};
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return "true or false";
      r.SetBool(&m, &f, text == "true");
      return {};
    case FieldDescriptor::CPPTYPE_STRING:
      if (f.is_repeated())
        r.AddString(&m, &f, std::string(text));
      else
        r.SetString(&m, &f, std::string(text));
      return {};
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (f.message_type() != google::protobuf::Duration::descriptor()) break;
      const auto span = parse_duration(text);
      if (!span) return "a duration like 30s";
      auto& duration = static_cast<google::protobuf::Duration&>(*r.MutableMessage(&m, &f));
      duration.set_seconds(span->count() / 1'000'000'000);
      duration.set_nanos(static_cast<int32_t>(span->count() % 1'000'000'000));
      return {};
    }
    default:
      break;
  }
  return "something that the command line cannot say; use -f with JSON";
}

void set_entry(Message& m, const FieldDescriptor& f, std::string_view key, std::string_view value) {
  Message* entry = m.GetReflection()->AddMessage(&m, &f);
  const auto& d = *entry->GetDescriptor();
  entry->GetReflection()->SetString(entry, d.field(0), std::string(key));
  entry->GetReflection()->SetString(entry, d.field(1), std::string(value));
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto out = std::filesystem::absolute(path, error).lexically_normal();
  return error ? path : out.string();
}

const FieldDescriptor* work_field(const std::string& kind) {
  std::string name = kind;
  std::replace(name.begin(), name.end(), '.', '_');
  const auto* f = v1::JobSpec::descriptor()->FindFieldByName(name);
  return f && f->containing_oneof() ? f : nullptr;
}

// The fields that stand without their names.
std::vector<std::string> positional_fields(const std::string& kind) {
  if (kind == "file.checksum") return {"path"};
  if (kind == "file.scrub") return {"path", "manifest_path"};
  if (kind == "file.copy" || kind == "file.compress" || kind == "file.decompress")
    return {"source", "destination"};
  return {};
}

std::expected<void, Failure> read_words(Message& work, const std::string& kind,
                                        const std::vector<std::string>& words) {
  const auto positional = positional_fields(kind);
  size_t next = 0;
  for (const auto& word : words) {
    const size_t equals = word.find('=');
    const bool assigns = equals != std::string::npos && word.find('/') > equals;
    std::expected<void, Failure> done;
    if (assigns) {
      done = set_field(work, word.substr(0, equals), word.substr(equals + 1));
    } else if (next < positional.size()) {
      // The daemon has another working directory.
      done = set_field(work, positional[next++], absolute(word));
    } else {
      return refuse("\"" + word + "\" is no key=value for kind " + kind,
                    "one of: " + field_names(work));
    }
    if (!done) return done;
  }
  return {};
}

}  // namespace

std::string field_names(const Message& message) {
  std::string out;
  const auto& d = *message.GetDescriptor();
  for (int i = 0; i < d.field_count(); ++i)
    out += (out.empty() ? "" : " ") + d.field(i)->name() + (d.field(i)->is_map() ? ".NAME" : "");
  return out;
}

std::expected<void, Failure> set_field(Message& message, std::string_view key,
                                       std::string_view value) {
  const size_t dot = key.find('.');
  const std::string name(key.substr(0, dot));
  const auto* f = message.GetDescriptor()->FindFieldByName(name);
  if (!f || (dot != std::string_view::npos) != f->is_map())
    return refuse("no field \"" + std::string(key) + "\"", "one of: " + field_names(message));
  if (f->is_map()) {
    set_entry(message, *f, key.substr(dot + 1), value);
    return {};
  }
  if (const std::string wanted = set_scalar(message, *f, value); !wanted.empty())
    return refuse(std::string(key) + "=" + std::string(value) + ": want " + wanted);
  return {};
}

std::expected<void, Failure> read_work(v1::JobSpec& spec, const std::string& kind,
                                       const std::vector<std::string>& words,
                                       const std::vector<std::string>& rest) {
  spec.set_kind(kind);
  const auto* f = work_field(kind);
  if (!f) {
    if (!words.empty() || !rest.empty())
      return refuse(
          "kind \"" + kind + "\" is not known to this zokioctl, so it cannot be given fields",
          "zokioctl version shows the kinds of the server");
    return {};
  }
  Message& work = *spec.GetReflection()->MutableMessage(&spec, f);
  if (kind == "exec") {
    const auto& argv = rest.empty() ? words : rest;
    if (!rest.empty())
      if (auto done = read_words(work, kind, words); !done) return done;
    for (const auto& word : argv) spec.mutable_exec()->add_argv(word);
    if (argv.empty()) return refuse("exec needs a command", "zokioctl submit exec -- ls -l /");
    return {};
  }
  if (!rest.empty()) return refuse("-- and a command are for kind exec, not for " + kind);
  return read_words(work, kind, words);
}

std::expected<void, Failure> read_labels(v1::JobSpec& spec, const std::vector<std::string>& words) {
  for (const auto& word : words) {
    const size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos)
      return refuse("label \"" + word + "\": want key=value");
    (*spec.mutable_labels())[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return {};
}

std::expected<BatchLine, Failure> read_batch_line(const std::string& line) {
  auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return refuse("not a JSON object");
  BatchLine out;
  if (auto at = json.find("request_id"); at != json.end()) {
    if (!at->is_string()) return refuse("request_id: want text");
    out.request_id = at->get<std::string>();
    json.erase(at);
  }
  const auto status = google::protobuf::util::JsonStringToMessage(json.dump(), &out.spec);
  if (!status.ok()) return refuse(status.ToString());
  return out;
}

std::expected<void, Failure> read_resize(v1::UpdateRuntimeRequest& request,
                                         const std::vector<std::string>& words) {
  auto& desired = *request.mutable_runtime()->mutable_desired();
  static constexpr const char* kWords =
      "workers=N reactors=N rings=N receive_buffers=N pool.frames=SIZE pool.buffers=SIZE";
  bool workers = false;
  bool reactors = false;
  bool rings = false;
  bool buffers = false;
  for (const auto& word : words) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    uint32_t count = 0;
    if (key == "workers" || key == "reactors") {
      if (!parse_integer(value, count)) return refuse(word + ": want a number, like " + key + "=4");
      key == "workers" ? desired.set_workers(count) : desired.set_reactors(count);
      (key == "workers" ? workers : reactors) = true;
    } else if (key == "rings" || key == "receive_buffers") {
      if (!parse_integer(value, count))
        return refuse(word + ": want a number, like " + key + "=256");
      key == "rings" ? desired.set_ring_entries(count) : desired.set_receive_buffers(count);
      (key == "rings" ? rings : buffers) = true;
    } else if (key.starts_with("pool.") && key.size() > 5) {
      const auto bytes = parse_bytes(value);
      if (!bytes) return refuse(word + ": want a size like 64Mi, or none");
      auto* pool = desired.add_pools();
      pool->set_name(key.substr(5));
      pool->set_limit_bytes(*bytes);
    } else {
      return refuse("\"" + word + "\" names nothing that can be resized", kWords);
    }
  }
  auto& mask = *request.mutable_update_mask();
  if (workers) mask.add_paths("desired.workers");
  if (reactors) mask.add_paths("desired.reactors");
  if (rings) mask.add_paths("desired.ring_entries");
  if (buffers) mask.add_paths("desired.receive_buffers");
  if (desired.pools_size() > 0) mask.add_paths("desired.pools");
  if (mask.paths().empty()) return refuse("nothing to resize", kWords);
  return {};
}

}  // namespace zokioctl

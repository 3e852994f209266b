// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert_work.h"

#include <algorithm>
#include <type_traits>

#include "zokio/base/assert.h"

namespace zokiod::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The field of a name. A missing one is a mistake of the source, which tests see.
const FieldDescriptor* field_of(const Message& message, std::string_view name) {
  const auto* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  ZOKIO_CHECK(field != nullptr, "a struct has a field that its message has not");
  return field;
}

std::string_view without_unit(std::string_view name) {
  name.remove_suffix(sizeof "_ns" - 1);
  return name;
}

// Called by fields() for every member. Defaults are left out: they are what an absent field means.
class Writer {
 public:
  explicit Writer(Message& to) : to_(to), reflection_(*to.GetReflection()) {}

  void operator()(std::string_view name, const std::string& value) const {
    if (!value.empty()) reflection_.SetString(&to_, field_of(to_, name), value);
  }
  void operator()(std::string_view name, zokio::Duration value) const {
    if (value.count() == 0) return;
    const auto* field = field_of(to_, without_unit(name));
    reflection_.MutableMessage(&to_, field)->CopyFrom(to_proto(value));
  }
  void operator()(std::string_view name, bool value) const {
    reflection_.SetBool(&to_, field_of(to_, name), value);
  }
  void operator()(std::string_view name, int32_t value) const {
    reflection_.SetInt32(&to_, field_of(to_, name), value);
  }
  void operator()(std::string_view name, uint32_t value) const {
    reflection_.SetUInt32(&to_, field_of(to_, name), value);
  }
  void operator()(std::string_view name, uint64_t value) const {
    reflection_.SetUInt64(&to_, field_of(to_, name), value);
  }
  void operator()(std::string_view name, const std::vector<std::string>& values) const {
    const auto* field = field_of(to_, name);
    for (const auto& value : values) reflection_.AddString(&to_, field, value);
  }
  void operator()(std::string_view name, const std::map<std::string, std::string>& values) const {
    const auto* field = field_of(to_, name);
    for (const auto& [key, value] : values) {
      Message& entry = *reflection_.AddMessage(&to_, field);
      entry.GetReflection()->SetString(&entry, entry.GetDescriptor()->map_key(), key);
      entry.GetReflection()->SetString(&entry, entry.GetDescriptor()->map_value(), value);
    }
  }

 private:
  Message& to_;
  const google::protobuf::Reflection& reflection_;
};

class Reader {
 public:
  // `path`: "spec.exec", where wrong fields are.
  Reader(const Message& from, std::string path, Violations& violations)
      : from_(from),
        reflection_(*from.GetReflection()),
        path_(std::move(path)),
        violations_(violations) {}

  void operator()(std::string_view name, std::string& out) const {
    out = reflection_.GetString(from_, field_of(from_, name));
  }
  void operator()(std::string_view name, zokio::Duration& out) const {
    const auto* field = field_of(from_, without_unit(name));
    if (!reflection_.HasField(from_, field)) return;
    google::protobuf::Duration value;
    value.CopyFrom(reflection_.GetMessage(from_, field));
    out = from_proto(value, path_ + "." + field->name(), violations_);
  }
  void operator()(std::string_view name, bool& out) const {
    out = reflection_.GetBool(from_, field_of(from_, name));
  }
  void operator()(std::string_view name, int32_t& out) const {
    out = reflection_.GetInt32(from_, field_of(from_, name));
  }
  void operator()(std::string_view name, uint32_t& out) const {
    out = reflection_.GetUInt32(from_, field_of(from_, name));
  }
  void operator()(std::string_view name, uint64_t& out) const {
    out = reflection_.GetUInt64(from_, field_of(from_, name));
  }
  void operator()(std::string_view name, std::vector<std::string>& out) const {
    const auto* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i)
      out.push_back(reflection_.GetRepeatedString(from_, field, i));
  }
  void operator()(std::string_view name, std::map<std::string, std::string>& out) const {
    const auto* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i) {
      const Message& entry = reflection_.GetRepeatedMessage(from_, field, i);
      const auto& r = *entry.GetReflection();
      out[r.GetString(entry, entry.GetDescriptor()->map_key())] =
          r.GetString(entry, entry.GetDescriptor()->map_value());
    }
  }

 private:
  const Message& from_;
  const google::protobuf::Reflection& reflection_;
  const std::string path_;
  Violations& violations_;
};

// "file.copy" is the field "file_copy".
std::string field_name(std::string_view kind) {
  std::string name(kind);
  std::ranges::replace(name, '.', '_');
  return name;
}

template <size_t I = 0>
model::Work read_as(const std::string& field, const Message& from, Violations& violations) {
  if constexpr (I < std::variant_size_v<model::Work>) {
    using Spec = std::variant_alternative_t<I, model::Work>;
    if (field_name(Spec::kKind) != field) return read_as<I + 1>(field, from, violations);
    Spec out;
    Reader reader(from, "spec." + field, violations);
    fields(reader, out);
    return out;
  } else {
    ZOKIO_CHECK(false, "a work of the message has no struct");
    return {};
  }
}

}  // namespace

model::Work work_from_proto(const v1::JobSpec& from, Violations& violations) {
  const auto* field = from.GetReflection()->GetOneofFieldDescriptor(
      from, v1::JobSpec::descriptor()->FindOneofByName("work"));
  return read_as(field->name(), from.GetReflection()->GetMessage(from, field), violations);
}

void work_to_proto(const model::Work& from, v1::JobSpec& out) {
  model::Work copy = from;  // fields() serves reading, too, and takes it mutable
  std::visit(
      [&out](auto& work) {
        const std::string name = field_name(std::remove_cvref_t<decltype(work)>::kKind);
        Writer writer(*out.GetReflection()->MutableMessage(&out, field_of(out, name)));
        fields(writer, work);
      },
      copy);
}

void result_to_proto(const model::JobResult& from, v1::JobResult& out) {
  model::JobResult copy = from;
  std::visit(
      [&out](auto& result) {
        using R = std::remove_cvref_t<decltype(result)>;
        if constexpr (!std::is_same_v<R, std::monostate>) {
          Writer writer(*out.GetReflection()->MutableMessage(&out, field_of(out, R::kName)));
          fields(writer, result);
        }
      },
      copy);
}

}  // namespace zokiod::rpc

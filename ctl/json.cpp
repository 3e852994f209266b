// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "output.h"

namespace zokioctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

Json value_of(const Message& message);

// JOB_STATE_TIMED_OUT of enum JobState -> "timed_out".
std::string name_of(const EnumValueDescriptor& value) {
  std::string prefix;
  for (char c : value.type()->name()) {
    if (std::isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  prefix += '_';
  std::string name = value.name();
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// Index -1: the field is not repeated.
Json scalar_of(const Message& m, const Reflection& r, const FieldDescriptor& f, int index) {
  const bool one = index < 0;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(m, &f) : r.GetRepeatedInt32(m, &f, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(m, &f) : r.GetRepeatedInt64(m, &f, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(m, &f) : r.GetRepeatedUInt32(m, &f, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(m, &f) : r.GetRepeatedUInt64(m, &f, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? r.GetDouble(m, &f) : r.GetRepeatedDouble(m, &f, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? r.GetFloat(m, &f) : r.GetRepeatedFloat(m, &f, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(m, &f) : r.GetRepeatedBool(m, &f, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return name_of(one ? *r.GetEnum(m, &f) : *r.GetRepeatedEnum(m, &f, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? r.GetString(m, &f) : r.GetRepeatedString(m, &f, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return value_of(one ? r.GetMessage(m, &f) : r.GetRepeatedMessage(m, &f, index));
  }
  return nullptr;
}

// Keys sorted, so that equal messages give equal text.
Json map_of(const Message& m, const Reflection& r, const FieldDescriptor& f) {
  std::map<std::string, Json> sorted;
  for (int i = 0; i < r.FieldSize(m, &f); ++i) {
    const Message& entry = r.GetRepeatedMessage(m, &f, i);
    const auto& er = *entry.GetReflection();
    const auto& ed = *entry.GetDescriptor();
    sorted[er.GetString(entry, ed.field(0))] = scalar_of(entry, er, *ed.field(1), -1);
  }
  Json out = Json::object();
  for (auto& [key, value] : sorted) out[key] = std::move(value);
  return out;
}

Json object_of(const Message& message) {
  const Descriptor& d = *message.GetDescriptor();
  const Reflection& r = *message.GetReflection();
  Json out = Json::object();
  for (int i = 0; i < d.field_count(); ++i) {
    const FieldDescriptor& f = *d.field(i);
    if (f.is_map()) {
      out[f.name()] = map_of(message, r, f);
    } else if (f.is_repeated()) {
      Json list = Json::array();
      for (int j = 0; j < r.FieldSize(message, &f); ++j)
        list.push_back(scalar_of(message, r, f, j));
      out[f.name()] = std::move(list);
    } else if (!f.has_presence() || r.HasField(message, &f)) {
      out[f.name()] = scalar_of(message, r, f, -1);
    }
  }
  return out;
}

Json value_of(const Message& message) {
  using google::protobuf::util::TimeUtil;
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor())
    return TimeUtil::ToString(static_cast<const google::protobuf::Timestamp&>(message));
  if (message.GetDescriptor() == google::protobuf::Duration::descriptor())
    return TimeUtil::ToString(static_cast<const google::protobuf::Duration&>(message));
  return object_of(message);
}

std::string dump(const Message& message, int indent) {
  // Output of commands may be no UTF-8: replaced, not refused.
  return value_of(message).dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string json_line(const Message& message) {
  return dump(message, -1);
}

std::string json_document(const Message& message) {
  return dump(message, 2) + "\n";
}

}  // namespace zokioctl

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Words of the command line -> messages: "tasks=1000" sets a field by its name in the proto, so a
// kind that is added there can be submitted without a line here.
// Thread: pure functions.

#include <google/protobuf/message.h>
#include <zokio/v1/job.pb.h>
#include <zokio/v1/runtime_service.pb.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"

namespace zokioctl {

namespace v1 = ::zokio::v1;

// Sets `key` of `message`: numbers, sizes with units ("64Ki", fields *_bytes), durations ("30s"),
// true and false; lists are appended to, "env.NAME=value" sets an entry of a map.
std::expected<void, Failure> set_field(google::protobuf::Message& message, std::string_view key,
                                       std::string_view value);
// "seed tasks fanout": what set_field takes.
std::string field_names(const google::protobuf::Message& message);

// The kind and its words: argv for exec, paths for the file kinds, key=value for every kind. `rest` is what followed "--". An unknown kind is left to zokiod to refuse.
std::expected<void, Failure> read_work(v1::JobSpec& spec, const std::string& kind,
                                       const std::vector<std::string>& words,
                                       const std::vector<std::string>& rest);

// "key=value" -> label.
std::expected<void, Failure> read_labels(v1::JobSpec& spec, const std::vector<std::string>& words);

// One line of a batch: a JSON object with the fields of JobSpec, and "request_id".
struct BatchLine {
  v1::JobSpec spec;
  std::string request_id;
};
std::expected<BatchLine, Failure> read_batch_line(const std::string& line);

// "workers=8 reactors=2 pool.frames=64Mi" -> the update and its mask.
std::expected<void, Failure> read_resize(v1::UpdateRuntimeRequest& request,
                                         const std::vector<std::string>& words);

}  // namespace zokioctl

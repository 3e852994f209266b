// SPDX-License-Identifier: Apache-2.0
#pragma once

// Specs and results as text for the store: one "name=value" line for each field, in the order of
// fields(). Lists repeat their name, maps write "name.key=value", strings escape \n, \r and \\.
//
// Reading is forgiving in one direction only: a name that this version does not know is skipped
// (written by a newer one), everything else that does not fit is an error.
// Thread: pure functions.

#include <string>
#include <string_view>

#include "model/job.h"
#include "model/queue.h"
#include "zokio/base/result.h"

namespace zokiod::model {

// The kind is not part of the text: the store has a column for it.
std::string encode_spec(const JobSpec& spec);
// DataLoss: not what encode_spec wrote. InvalidArgument: no such kind.
zokio::Result<JobSpec> decode_spec(std::string_view kind, std::string_view text);

// Starts with the line "type=<index of the variant>".
std::string encode_result(const JobResult& result);
zokio::Result<JobResult> decode_result(std::string_view text);

// The name is not part of the text, either.
std::string encode_queue(const QueueSpec& spec);
zokio::Result<QueueSpec> decode_queue(std::string_view name, std::string_view text);

}  // namespace zokiod::model

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rules that every spec has to meet, whatever its kind. All violations at once.
// Thread: pure functions.

#include "kinds/kind.h"

namespace zokiod::jobs {

// The common rules and those of the kind. INVALID_FIELD with every violation.
model::Reported<> validate(const model::JobSpec& spec, const kinds::KindInfo& kind);
// Length and characters of a request_id.
model::Reported<> validate_request_id(const std::string& request_id);

}  // namespace zokiod::jobs

// SPDX-License-Identifier: Apache-2.0
#include "model/report.h"

#include <chrono>

#include "model/job.h"

namespace zokiod::model {

Report make_report(zokio::Error error, std::string message) {
  std::string text = std::move(message);
  if (!text.empty()) text += ": ";
  text += error.to_string();
  return {error, std::string(zokio::to_string(error.code)), std::move(text), {}, {}};
}

WallTime WallTime::now() {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

}  // namespace zokiod::model

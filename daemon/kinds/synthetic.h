// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the synthetic kinds have in common: they touch nothing of anybody, so they are always
// allowed, and their checksum is a sum over numbered pieces of work that anyone who has the seed
// can compute (docs/kinds.md). Thread: pure functions.

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kinds/kind.h"
#include "kinds/mix.h"

namespace zokiod::kinds::synthetic {

inline bool allowed(const Policy&) {
  return true;
}
inline model::Reported<> authorize(const model::JobSpec&, const Policy&) {
  return {};
}

inline void above(Violations& out, std::string_view kind, std::string_view field, uint64_t value,
                  uint64_t most) {
  if (value > most)
    out.push_back(
        {fmt::format("spec.{}.{}", kind, field), fmt::format("{} is above {}", value, most)});
}

template <class T>
T or_default(T value, T otherwise) {
  return value == T{} ? otherwise : value;
}

// Of `total` numbered pieces, those of part `index` of `parts`: [first, last).
struct Range {
  uint64_t first, last;
};
inline Range part_of(uint64_t total, uint64_t index, uint64_t parts) {
  const uint64_t each = total / parts, more = total % parts;
  const uint64_t first = index * each + std::min(index, more);
  return {first, first + each + (index < more ? 1 : 0)};
}

// The sum of what tasks returned, or the first real failure: the others say that it cancelled them.
inline zokio::Result<uint64_t> sum_of(const std::vector<zokio::Result<uint64_t>>& parts) {
  uint64_t sum = 0;
  const zokio::Result<uint64_t>* failed = nullptr;
  for (const auto& part : parts) {
    if (part)
      sum += *part;
    else if (failed == nullptr || failed->error().code == zokio::Errc::Cancelled)
      failed = &part;
  }
  if (failed != nullptr) return *failed;
  return sum;
}

// How a synthetic job ends. DataLoss is a failed verification.
inline model::Reported<Finished> conclude(const zokio::Result<uint64_t>& sum,
                                          model::SyntheticResult result, std::string_view kind,
                                          std::string_view damage) {
  if (sum) {
    result.checksum = checksum_text(*sum);
    return Finished{std::move(result), {}};
  }
  if (sum.error().code == zokio::Errc::DataLoss)
    return model::refuse(zokio::Errc::DataLoss, "VERIFY_FAILED", std::string(damage));
  return model::refuse(model::make_report(sum.error(), std::string(kind)));
}

}  // namespace zokiod::kinds::synthetic

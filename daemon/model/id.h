// SPDX-License-Identifier: Apache-2.0
#pragma once

// JobId: a ULID, 48 bits of milliseconds and 80 random bits, made by the server.
//
// Ids sort by time of creation, so the primary key of the store grows at its end and a page token
// is simply the last id of the page. Thread: JobId is a value; JobIdSource may be used by any
// thread.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace zokiod::model {

struct JobId {
  static constexpr size_t kTextSize = 26;

  std::array<uint8_t, 16> bytes{};  // big endian: bytes 0..5 are milliseconds

  // 26 characters of Crockford's base 32, upper case.
  std::string to_string() const;
  // Accepts lower case; nullopt for anything that to_string() cannot have made.
  static std::optional<JobId> parse(std::string_view text);

  bool empty() const { return *this == JobId{}; }
  int64_t unix_ms() const;
  friend auto operator<=>(const JobId&, const JobId&) = default;
};

// Makes ids. Ids of one source strictly increase, also within one millisecond and when the wall
// clock steps back.
class JobIdSource {
 public:
  // Seeded from the kernel's random numbers.
  JobIdSource();
  // `not_before`: ids made by this source sort after it (the greatest id found in the store).
  explicit JobIdSource(const JobId& not_before);
  JobId next();

 private:
  std::mutex mutex_;
  JobId last_;  // guarded by mutex_
};

}  // namespace zokiod::model

template <>
struct std::hash<zokiod::model::JobId> {
  size_t operator()(const zokiod::model::JobId& id) const noexcept;
};

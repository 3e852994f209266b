// SPDX-License-Identifier: Apache-2.0
#include "model/id.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "zokio/base/assert.h"

namespace zokiod::model {
namespace {

// Crockford: no I, L, O, U.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

constexpr std::array<int8_t, 256> make_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    const auto c = static_cast<unsigned char>(kAlphabet[i]);
    values[c] = static_cast<int8_t>(i);
    if (c >= 'A') values[c - 'A' + 'a'] = static_cast<int8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

void fill_random(uint8_t* to, size_t size) {
  // Up to 256 bytes never come short once the kernel's pool is ready (getrandom(2)).
  const ssize_t n = ::getrandom(to, size, 0);
  ZOKIO_CHECK(n == static_cast<ssize_t>(size), "getrandom");
}

}  // namespace

// 26 characters of 5 bits are 130 bits: the first carries the top 3 only.
std::string JobId::to_string() const {
  std::string text(kTextSize, '0');
  for (size_t i = 0; i < kTextSize; ++i) {
    unsigned value = 0;
    for (size_t b = 0; b < 5; ++b) {
      const size_t bit = i * 5 + b;  // of the 130; the first two are zero
      value <<= 1;
      if (bit >= 2) value |= (bytes[(bit - 2) / 8] >> (7 - (bit - 2) % 8)) & 1u;
    }
    text[i] = kAlphabet[value];
  }
  return text;
}

std::optional<JobId> JobId::parse(std::string_view text) {
  if (text.size() != kTextSize || text[0] > '7') return std::nullopt;
  JobId id;
  for (size_t i = 0; i < kTextSize; ++i) {
    const int8_t value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0) return std::nullopt;
    for (size_t b = 0; b < 5; ++b) {
      const size_t bit = i * 5 + b;
      if (bit < 2) continue;
      if ((value >> (4 - b)) & 1)
        id.bytes[(bit - 2) / 8] |= static_cast<uint8_t>(1u << (7 - (bit - 2) % 8));
    }
  }
  return id;
}

int64_t JobId::unix_ms() const {
  int64_t ms = 0;
  for (size_t i = 0; i < 6; ++i) ms = ms << 8 | bytes[i];
  return ms;
}

JobIdSource::JobIdSource() = default;
JobIdSource::JobIdSource(const JobId& not_before) : last_(not_before) {}

JobId JobIdSource::next() {
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  std::lock_guard lock(mutex_);
  if (now > last_.unix_ms()) {
    for (size_t i = 0; i < 6; ++i) last_.bytes[i] = static_cast<uint8_t>(now >> (8 * (5 - i)));
    fill_random(last_.bytes.data() + 6, 10);
    last_.bytes[6] &= 0x7f;  // room for the increments of one millisecond
    return last_;
  }
  // The same millisecond, or a clock that stepped back: one more than the last.
  for (size_t i = last_.bytes.size(); i-- > 0;)
    if (++last_.bytes[i] != 0) break;
  return last_;
}

}  // namespace zokiod::model

size_t std::hash<zokiod::model::JobId>::operator()(const zokiod::model::JobId& id) const noexcept {
  // The random part; ids of one millisecond differ in its end.
  uint64_t low;
  std::memcpy(&low, id.bytes.data() + 8, sizeof low);
  return static_cast<size_t>(low * 0x9E3779B97F4A7C15ull ^ low >> 32);
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes and durations as people write and read them. Thread: pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zokioctl {

// "4096", "64Ki", "64KiB", "1.5Gi", "none" (0). Powers of two only: K means Ki.
std::optional<uint64_t> parse_bytes(std::string_view text);
// "500ms", "10s", "1.5m", "2h", "1d"; a bare number is seconds.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

std::string format_bytes(uint64_t bytes);                     // "64Mi", "1.5Gi"
std::string format_duration(std::chrono::nanoseconds value);  // "1.2ms", "3.4s", "2m05s"

}  // namespace zokioctl

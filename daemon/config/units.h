// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes and durations as people write them. Both directions round-trip. Thread: pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace zokiod::config {

// "0", "4096", "64KiB": whole numbers with nothing, KiB, MiB, GiB or TiB (K, M, G, T mean the
// same).
std::optional<Bytes> parse_bytes(std::string_view text);
std::string format_bytes(Bytes bytes);

// Whole numbers with ns us ms s m h; a bare "0" is zero.
std::optional<Span> parse_span(std::string_view text);
std::string format_span(Span span);

}  // namespace zokiod::config

// SPDX-License-Identifier: Apache-2.0
#pragma once

// "Did you mean": the nearest of the known words. Thread: pure functions.

#include <span>
#include <string>
#include <string_view>

namespace zokiod::config {

// "; did you mean \"workers\"?", or empty when nothing is near. Near: at most
// a third of the longer word has to change, or the word stands in another table under the same
// name.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace zokiod::config

// SPDX-License-Identifier: Apache-2.0
#include "decisions.h"

#include <cstdio>

namespace zokio::model {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

void Decisions::start_random(uint64_t seed) {
  *this = {};
  mode_ = Mode::Random;
  rng_ = Rng(seed * 0x9e3779b97f4a7c15 + 1);
}

bool Decisions::start_repeat(std::string_view text, Bounds& bounds) {
  *this = {};
  mode_ = Mode::Repeat;
  int used = 0;
  if (std::sscanf(std::string(text).c_str(), "%u.%u.%u:%n", &bounds.preemptions, &bounds.stale,
                  &bounds.spurious, &used) != 3 ||
      used == 0)
    return false;
  for (const char c : text.substr(static_cast<size_t>(used))) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return false;
    given_.push_back(static_cast<uint16_t>(digit));
  }
  return true;
}

unsigned Decisions::next(Kind kind, unsigned n, int suggested, bool& fits) {
  if (n <= 1) return 0;
  if (at_ < list_.size()) {
    const Decision& known = list_[at_++];
    if (known.kind != kind || known.n != n) fits = false;
    return known.chosen < n ? known.chosen : 0;
  }
  unsigned chosen = 0;
  switch (mode_) {
    case Mode::Search:
      break;
    case Mode::Random:
      chosen = suggested >= 0 ? static_cast<unsigned>(suggested) : rng_.below(n);
      break;
    case Mode::Repeat:
      if (at_ < given_.size()) chosen = given_[at_];
      if (chosen >= n) fits = false, chosen = 0;
      break;
  }
  list_.push_back({kind, static_cast<uint16_t>(n), static_cast<uint16_t>(chosen)});
  ++at_;
  return chosen;
}

bool Decisions::advance() {
  while (!list_.empty() && list_.back().chosen + 1u >= list_.back().n) list_.pop_back();
  if (list_.empty()) return false;
  ++list_.back().chosen;
  return true;
}

std::string Decisions::text(const Bounds& bounds) const {
  std::string digits;
  for (size_t i = 0; i < at_ && i < list_.size(); ++i) digits += kDigits[list_[i].chosen];
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return std::to_string(bounds.preemptions) + "." + std::to_string(bounds.stale) + "." +
         std::to_string(bounds.spurious) + ":" + digits;
}

}  // namespace zokio::model

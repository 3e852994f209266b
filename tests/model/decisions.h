// SPDX-License-Identifier: Apache-2.0
#pragma once

// What one execution decides, as a list of numbers, and how the next list is found: the search goes
// depth first through all lists, the random mode makes them up, a repeated execution is given one.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/explorer.h"

namespace zokio::model {

enum class Kind : uint8_t { Thread, Value, Spurious, Choice };

struct Bounds {
  unsigned preemptions = 0;
  unsigned stale = 0;
  unsigned spurious = 0;
};

class Decisions {
 public:
  enum class Mode : uint8_t { Search, Random, Repeat };

  void start_search() { *this = {}; }
  void start_random(uint64_t seed);
  // A list that a failure printed; sets its bounds. False when it is none.
  bool start_repeat(std::string_view text, Bounds& bounds);

  void begin() { at_ = 0; }
  // The next number below n. `suggested` is taken in random mode, when the kind has a rule for it.
  // `fits` becomes false when a repeated program asked something else: it is not deterministic.
  unsigned next(Kind kind, unsigned n, int suggested, bool& fits);
  // The next list of the search; false when there is none.
  bool advance();

  Mode mode() const { return mode_; }
  Rng& rng() { return rng_; }
  std::string text(const Bounds& bounds) const;

 private:
  struct Decision {
    Kind kind;
    uint16_t n;
    uint16_t chosen;
  };
  std::vector<Decision> list_;
  size_t at_ = 0;
  Mode mode_ = Mode::Search;
  std::vector<uint16_t> given_;
  Rng rng_;
};

}  // namespace zokio::model

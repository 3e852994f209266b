// SPDX-License-Identifier: Apache-2.0
#pragma once

// Things that go into a queue, with a plain payload, and how often each came out: for models of
// queues. The payload shows whether who takes a thing sees what was written before it was put in;
// the counts are plain, so that a thing that two threads take is a race, too.

#include "model/explorer.h"

namespace zokio::model {

template <class T, unsigned kMost>
class TakenOnce {
 public:
  T* make(unsigned i) {
    payload_[i] = i + 1;
    return &things_[i];
  }
  // Which one it is.
  unsigned took(const T* thing) {
    const auto i = static_cast<unsigned>(thing - things_);
    MODEL_CHECK(i < kMost, "what comes out was put in");
    MODEL_CHECK(payload_[i] == i + 1, "who takes a thing sees it");
    ++taken_[i];
    return i;
  }
  // The first `count`, and no others.
  void expect(unsigned count) {
    for (unsigned i = 0; i < kMost; ++i)
      MODEL_CHECK(taken_[i] == (i < count ? 1u : 0u), "each comes out once");
  }

 private:
  T things_[kMost];
  unsigned payload_[kMost] = {};
  unsigned taken_[kMost] = {};
};

}  // namespace zokio::model

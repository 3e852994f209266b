// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace zokio {

// Base of everything that others point to: it is neither copied nor moved.
class Pinned {
 public:
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 protected:
  Pinned() = default;
  ~Pinned() = default;
};

}  // namespace zokio

// SPDX-License-Identifier: Apache-2.0
#pragma once

// join_all: the name of when_all for those who come from elsewhere.

#include "zokio/when_all.h"

namespace zokio {

template <class T>
Task<std::vector<Outcome<T>>> join_all(std::vector<Task<T>> tasks) {
  return when_all(std::move(tasks));
}

}  // namespace zokio

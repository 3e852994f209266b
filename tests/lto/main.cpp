// SPDX-License-Identifier: Apache-2.0
//
// A program that is linked with link-time optimisation, as the users' own may be. The thread's
// context is read by assembler, of which the optimiser knows nothing: without a definition it would
// be somewhere in the thread's own control block.

#include <cstdio>
#include <thread>

#include "zokio/task/header.h"

namespace {

bool fresh() {
  const zokio::task::Context& c = zokio::task::context();
  return c.executor == nullptr && c.worker == zokio::task::kNoWorker &&
         c.budget == zokio::task::kPollBudget;
}

}  // namespace

int main() {
  const uint16_t group = zokio::task::acquire_group(nullptr);  // as every scheduler does
  bool own = fresh();
  zokio::task::context().worker = 7;
  bool others = false;
  std::thread([&others] { others = fresh(); }).join();
  own = own && zokio::task::context().worker == 7;
  if (group == zokio::task::kNoGroup || !own || !others) {
    std::fputs("the context is not the thread's own\n", stderr);
    return 1;
  }
  return 0;
}

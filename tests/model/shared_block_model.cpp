// SPDX-License-Identifier: Apache-2.0
//
// The count of a shared buffer, and the bound of an object pool: the last one to go sees what all
// others did, who is alone may write, and a place that became free was left before it is taken.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "zokio/mem/object_pool.h"
#include "zokio/mem/shared_buffer.h"

namespace zokio::mem {
namespace {

using internal::ObjectLedger;
using internal::SharedBlock;
using model::Execution;
using model::explore;

struct Block : SharedBlock {
  Block() : SharedBlock(&end) {}
  // Reads what each owner wrote; a race if it does not see it.
  static void end(SharedBlock* base) noexcept {
    auto* self = static_cast<Block*>(base);
    MODEL_CHECK(self->a + self->b == self->expected, "the last owner sees what the others wrote");
    ++self->ended;
  }
  int a = 0, b = 0, expected = 0, ended = 0;
};

TEST(SharedBlockModel, TheLastOneSeesEverything) {
  EXPECT_HOLDS(explore("shared block: two owners go", {}, [](Execution& run) {
    Block block;
    block.expected = 3;
    block.add();
    run.thread("one", [&] {
      block.a = 1;
      block.drop();
    });
    run.thread("two", [&] {
      block.b = 2;
      block.drop();
    });
    run.go();
    MODEL_CHECK(block.ended == 1, "it ends once");
  }));
}

TEST(SharedBlockModel, WhoIsAloneMayWrite) {
  EXPECT_HOLDS(explore("shared block: alone", {}, [](Execution& run) {
    Block block;
    block.a = 1;
    block.expected = 1;
    block.add();
    run.thread("reader", [&] {
      MODEL_CHECK(block.a == 1, "nobody writes beside a reader");
      block.drop();
    });
    run.thread("writer", [&] {
      if (block.single()) {
        block.a = 5;
        block.expected = 5;
      }
      block.drop();
    });
    run.go();
    MODEL_CHECK(block.ended == 1, "it ends once");
  }));
}

// A copy is made while another owner goes.
TEST(SharedBlockModel, ACopyKeepsIt) {
  EXPECT_HOLDS(explore("shared block: copy", {}, [](Execution& run) {
    Block block;
    block.add();
    run.thread("copies", [&] {
      block.add();
      block.drop();
      MODEL_CHECK(block.ended == 0, "one owner is left");
      block.drop();
    });
    run.thread("goes", [&] { block.drop(); });
    run.go();
    MODEL_CHECK(block.ended == 1, "it ends once");
  }));
}

TEST(ObjectLedgerModel, TheBoundHoldsAndAPlaceIsLeftBeforeItIsTaken) {
  EXPECT_HOLDS(explore("object ledger: one place", {}, [](Execution& run) {
    ObjectLedger ledger(1);
    int inside = 0;
    const auto visit = [&] {
      if (!ledger.enter()) return;
      MODEL_CHECK(++inside == 1, "one at a time");
      --inside;
      ledger.leave();
    };
    run.thread("one", [&] { visit(), visit(); });
    run.thread("two", visit);
    run.go();
    MODEL_CHECK(ledger.live() == 0, "all left");
    MODEL_CHECK(ledger.enter(), "and there is room again");
  }));
}

}  // namespace
}  // namespace zokio::mem

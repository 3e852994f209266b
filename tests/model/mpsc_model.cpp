// SPDX-License-Identifier: Apache-2.0
//
// sync::mpsc and its queue: every value that was sent is received once, in the order of its sender,
// and whoever waits, the receiver or a sender, is woken. Values fill a block each, so that blocks
// are handed on with every one.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/sync/mpsc.h"

namespace zokio::sync {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

struct Item {
  explicit Item(unsigned v) noexcept : value(v) {}
  unsigned value;
  char fill[300] = {};
};

constexpr unsigned kMost = 4;
constexpr model::Options kFew{.most = 25'000, .random = 3'000};

// What came out: how often each value, and in which order.
struct Log {
  void add(unsigned value) {
    MODEL_CHECK(value < kMost, "what comes out was put in");
    ++times[value];
    order[count++] = value;
  }
  unsigned times[kMost] = {};
  unsigned order[kMost] = {};
  unsigned count = 0;
  bool closed = false;
};

template <bool kBounded>
Task<void> receive_all(MpscReceiver<Item, kBounded> receiver, Log* log) {
  while (true) {
    Result<Item> item = co_await receiver.recv();
    if (!item.has_value()) {
      log->closed = item.error().code == Errc::Aborted;
      break;
    }
    log->add(item->value);
  }
}

Task<void> send_one(MpscSender<Item> sender, unsigned value) {
  Result<void> sent = co_await sender.send(Item(value));
  MODEL_CHECK(sent.has_value(), "the receiver is there");
}

TEST(MpscModel, TwoSendersAndAParkingReceiver) {
  EXPECT_HOLDS(explore("mpsc: two senders", kFew, [](Execution& run) {
    Workers workers;
    Log log;
    {
      auto [sender, receiver] = mpsc_unbounded<Item>();
      auto other = sender;
      workers.spawn(receive_all<false>, std::move(receiver), &log).detach();
      workers.start(run);
      run.thread("sender 1", [s = &sender] {
        for (unsigned i : {0u, 1u})
          MODEL_CHECK(s->send(Item(i)).has_value(), "the receiver is there");
        auto gone = std::move(*s);
      });
      run.thread("sender 2", [&] {
        MODEL_CHECK(other.send(Item(2)).has_value(), "the receiver is there");
        auto gone = std::move(other);
      });
      run.go();
    }
    MODEL_CHECK(log.closed && log.count == 3, "all of them, and then the end");
    for (unsigned i = 0; i < 3; ++i) MODEL_CHECK(log.times[i] == 1, "each value once");
    unsigned first = 0;
    while (log.order[first] != 0 && log.order[first] != 1) ++first;
    MODEL_CHECK(log.order[first] == 0, "in the order of the sender");
  }));
}

TEST(MpscModel, AFullChannel) {
  EXPECT_HOLDS(explore("mpsc: senders wait for room", kFew, [](Execution& run) {
    Workers workers;
    Log log;
    {
      auto [sender, receiver] = mpsc<Item>(1);
      workers.spawn(send_one, sender, 0u).detach();
      workers.spawn(send_one, std::move(sender), 1u).detach();
      workers.spawn(receive_all<true>, std::move(receiver), &log).detach();
    }
    workers.start(run, 2);
    run.go();
    MODEL_CHECK(log.closed && log.count == 2, "all of them, and then the end");
    MODEL_CHECK(log.times[0] == 1 && log.times[1] == 1, "each value once");
  }));
}

TEST(MpscModel, ReceiverCancelled) {
  EXPECT_HOLDS(explore("mpsc: send and cancel", kFew, [](Execution& run) {
    Workers workers;
    Log log;
    Result<void> sent;
    {
      auto [sender, receiver] = mpsc_unbounded<Item>();
      auto handle = workers.spawn(receive_all<false>, std::move(receiver), &log);
      workers.start(run);
      run.thread("sender", [&, s = &sender] {
        sent = s->send(Item(0));
        auto gone = std::move(*s);
      });
      run.thread("canceller", [&] { handle.cancel(); });
      run.go();
    }
    MODEL_CHECK(log.count <= 1 && (log.count == 0 || sent.has_value()), "received means sent");
  }));
}

}  // namespace
}  // namespace zokio::sync

// SPDX-License-Identifier: Apache-2.0
//
// io::Inbox: two threads push while the owner takes and, at the end, closes. A message that was
// taken in comes out once, in the order of its sender; one that is refused came after the close,
// and its sender sees what the owner did before.

#include <gtest/gtest.h>

#include "io/inbox.h"
#include "model/explorer.h"

namespace zokio::io {
namespace {

using model::Execution;
using model::explore;

constexpr unsigned kMessages = 4;

struct Post {
  Post() {
    for (Message*& m : all) m = new Message(Message::Kind::Start, nullptr);
    inbox.open();
  }
  ~Post() {
    for (Message* m : all) delete m;
  }
  void send(unsigned i) {
    all[i]->op = reinterpret_cast<Op*>(uintptr_t{i + 1});
    if (inbox.push(all[i])) {
      ++sent[i];
    } else {
      MODEL_CHECK(elsewhere == 1, "who is refused sees where to go");
      ++refused[i];
    }
  }
  void take() {
    unsigned last = 0;
    for (Message* m = inbox.take(); m != nullptr;) {
      Message* next = m->next;
      const auto i = static_cast<unsigned>(reinterpret_cast<uintptr_t>(m->op)) - 1;
      MODEL_CHECK(i < kMessages && m == all[i], "what comes out was put in");
      // Of one sender (two messages each) the first comes first.
      if (i % 2 == 1) MODEL_CHECK(taken[i - 1] + refused[i - 1] > 0 || last == i, "in order");
      last = i + 1;
      ++taken[i];
      m = next;
    }
  }

  Inbox inbox;
  Message* all[kMessages];
  unsigned sent[kMessages] = {}, taken[kMessages] = {}, refused[kMessages] = {};
  unsigned elsewhere = 0;
};

TEST(InboxModel, EveryMessageOnce) {
  EXPECT_HOLDS(explore("inbox: two senders", {}, [](Execution& run) {
    Post post;
    run.thread("sender 1", [&] { post.send(0), post.send(1); });
    run.thread("sender 2", [&] { post.send(2), post.send(3); });
    run.thread("owner", [&] { post.take(), post.take(); });
    run.go();
    post.take();
    for (unsigned i = 0; i < kMessages; ++i)
      MODEL_CHECK(post.sent[i] == 1 && post.taken[i] == 1, "each message comes out once");
  }));
}

TEST(InboxModel, NothingIsLeftInAClosedOne) {
  EXPECT_HOLDS(explore("inbox: close", {}, [](Execution& run) {
    Post post;
    bool closed = false;
    run.thread("sender 1", [&] { post.send(0); });
    run.thread("sender 2", [&] { post.send(2); });
    run.thread("owner", [&] {
      post.elsewhere = 1;
      for (int i = 0; i < 3 && !closed; ++i) {
        post.take();
        closed = post.inbox.try_close();
      }
    });
    run.go();
    if (!closed) post.take();
    for (unsigned i : {0u, 2u})
      MODEL_CHECK(post.sent[i] + post.refused[i] == 1 && post.taken[i] == post.sent[i],
                  "taken in means taken out");
  }));
}

}  // namespace
}  // namespace zokio::io

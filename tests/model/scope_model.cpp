// SPDX-License-Identifier: Apache-2.0
//
// with_scope and its ChildGroup: children end on other workers while the body's task begins to wait
// for them. It goes on when all are through, once, and none of them touches the group after that:
// the group lies in the frame, which is gone then.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/scope.h"

namespace zokio {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

Task<void> child(int* ended) {
  ++*ended;
  co_return;
}

Task<Result<void>> failing_child(int* ended) {
  ++*ended;
  co_return fail(Errc::DataLoss, "planned");
}

Task<void> two_children(Scope& scope, int* ended) {
  scope.spawn(child, &ended[0]).detach();
  scope.spawn(child, &ended[1]).detach();
  co_return;
}

Task<void> one_child(Scope& scope, int* ended) {
  scope.spawn(child, &ended[0]).detach();
  co_return;
}

Task<void> failing_children(Scope& scope, int* ended) {
  scope.spawn(failing_child, &ended[0]).detach();
  scope.spawn(failing_child, &ended[1]).detach();
  co_return;
}

Task<void> parent_of_two(int* ended, int* seen) {
  auto done = co_await with_scope(two_children, ended);
  *seen = done.has_value() ? ended[0] + ended[1] : -1;
}

Task<void> parent_of_one(int* ended, int* seen) {
  auto done = co_await with_scope(one_child, ended);
  *seen = done.has_value() ? ended[0] : -1;
}

Task<void> parent_of_failing(int* ended, int* seen) {
  auto done = co_await with_scope(failing_children, ended);
  *seen = !done.has_value() && done.error().code == Errc::DataLoss ? ended[0] + ended[1] : -1;
}

TEST(ScopeModel, OneChild) {
  EXPECT_HOLDS(explore("scope: one child", {}, [](Execution& run) {
    Workers workers;
    int ended[1] = {};
    int seen = 0;
    workers.spawn(parent_of_one, &ended[0], &seen).detach();
    workers.start(run, 2);
    run.go();
    MODEL_CHECK(seen == 1, "the child ended first");
  }));
}

TEST(ScopeModel, TwoChildren) {
  const model::Options few{.most = 40'000, .random = 3'000};
  EXPECT_HOLDS(explore("scope: two children, three workers", few, [](Execution& run) {
    Workers workers;
    int ended[2] = {};
    int seen = 0;
    workers.spawn(parent_of_two, &ended[0], &seen).detach();
    workers.start(run, 3);
    run.go();
    MODEL_CHECK(seen == 2, "both children ended first");
  }));
}

TEST(ScopeModel, BothFail) {
  const model::Options few{.most = 40'000, .random = 3'000};
  EXPECT_HOLDS(explore("scope: two failing children", few, [](Execution& run) {
    Workers workers;
    int ended[2] = {};
    int seen = 0;
    workers.spawn(parent_of_failing, &ended[0], &seen).detach();
    workers.start(run, 3);
    run.go();
    MODEL_CHECK(seen == 2, "both children ended first, and the error is theirs");
  }));
}

}  // namespace
}  // namespace zokio

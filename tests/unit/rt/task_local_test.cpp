// SPDX-License-Identifier: Apache-2.0
#include "zokio/task_local.h"

#include <stdexcept>
#include <string>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Locals = test::RuntimeTest;

constinit TaskLocal<int> number;
constinit TaskLocal<std::string> word;

Task<int> read_number() {
  const int* value = number.get();
  co_return value != nullptr ? *value : -1;
}

TEST(TaskLocalOutside, IsNull) {
  EXPECT_EQ(number.get(), nullptr);
}

TEST_P(Locals, BoundForOneExpression) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    const int before = co_await read_number();
    const int inside = co_await number.with(7, read_number());
    const int after = co_await read_number();
    co_return before * 10000 + inside * 100 + after;
  });
  EXPECT_EQ(*outcome, -1 * 10000 + 7 * 100 - 1);
}

TEST_P(Locals, InnerHidesOuterAndKeysDoNotMix) {
  auto outcome = runtime_->block_on([]() -> Task<std::string> {
    struct Inner {
      static Task<std::string> run() {
        std::string seen = *word.get() + std::to_string(co_await read_number());
        seen += std::to_string(co_await number.with(2, read_number()));
        seen += std::to_string(co_await read_number());
        co_return seen;
      }
    };
    co_return co_await number.with(1, word.with("w", Inner::run()));
  });
  EXPECT_EQ(*outcome, "w121");
}

TEST_P(Locals, GoesWithTheTaskToAnotherWorker) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    std::vector<JoinHandle<int>> tasks;
    for (int i = 0; i < 64; ++i)
      tasks.push_back(spawn(
          [](int id) -> Task<int> {
            struct Steps {
              static Task<int> run(int expected) {
                int wrong = 0;
                for (int step = 0; step < 50; ++step) {
                  const int seen = co_await read_number();
                  if (seen != expected) ++wrong;
                  if (step % 10 == 0)
                    static_cast<void>(co_await sleep(std::chrono::microseconds(100)));
                  co_await yield_now();
                }
                co_return wrong;
              }
            };
            co_return co_await number.with(int{id}, Steps::run(id));
          },
          i));
    int wrong = 0;
    for (auto& task : tasks) {
      auto one = co_await task;
      wrong += *one;
    }
    co_return wrong;
  });
  EXPECT_EQ(*outcome, 0);
}

Task<int> children_of_a_scope(Scope& scope) {
  auto child = [](int extra) -> Task<int> {
    co_await yield_now();
    const int value = co_await read_number();
    co_return value + extra;
  };
  auto a = scope.spawn(child, 10);
  auto b = scope.spawn(child, 20);
  auto first = co_await a;
  auto second = co_await b;
  co_return *first + *second;
}

TEST_P(Locals, StructuredChildrenInherit) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    struct Both {
      static Task<Result<int>> run() {
        auto in_scope = co_await with_scope(children_of_a_scope);
        // And the children of children, on top of a binding of their own.
        auto [x, y] = co_await when_all(word.with("inner", with_scope(children_of_a_scope)),
                                        number.with(5, read_number()));
        co_return *in_scope * 1000 + *x * 10 + *y;
      }
    };
    co_return co_await number.with(1, Both::run());
  });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, 32 * 1000 + 32 * 10 + 5);
}

TEST_P(Locals, ABindingInsideTheScopeIsNotInherited) {
  // A child may outlive what is bound inside the block that started it.
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    struct Body {
      static Task<int> start(Scope& scope, JoinHandle<int>* out) {
        *out = scope.spawn(read_number);
        co_return 0;
      }
      static Task<int> run(Scope& scope) {
        JoinHandle<int> child;
        co_await number.with(9, start(scope, &child));
        auto seen = co_await child;
        co_return *seen;
      }
    };
    co_return co_await number.with(4, with_scope(&Body::run));
  });
  EXPECT_EQ(*outcome, 4);
}

TEST_P(Locals, ASpawnedTaskStartsWithNone) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    struct Spawner {
      static Task<int> run() {
        auto task = spawn(read_number);
        auto seen = co_await task;
        co_return *seen;
      }
    };
    co_return co_await number.with(3, Spawner::run());
  });
  EXPECT_EQ(*outcome, -1);
}

TEST_P(Locals, AnExceptionEndsTheBinding) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    struct Thrower {
      static Task<int> run() {
        co_await yield_now();
        throw std::runtime_error("bound");
      }
    };
    bool threw = false;
    try {
      co_await number.with(3, Thrower::run());
    } catch (const std::runtime_error&) {
      threw = true;
    }
    const int after = co_await read_number();
    co_return threw ? after : -2;
  });
  EXPECT_EQ(*outcome, -1);
}

TEST_P(Locals, CancelGoesThroughBindings) {
  auto task = runtime_->spawn([]() -> Task<Result<int>> {
    struct Waits {
      static Task<Result<int>> wait() {
        ZOKIO_CO_CHECKED(co_await sleep(1h));
        co_return 1;
      }
      static Task<Result<int>> in_children() {
        auto [a, b] = co_await when_all(wait(), word.with("x", wait()));
        co_return !a.has_value() && !b.has_value() ? fail(Errc::Cancelled, "both") : Result<int>(0);
      }
    };
    co_return co_await number.with(1, Waits::in_children());
  });
  task.cancel();
  EXPECT_EQ(task.wait().error().code, Errc::Cancelled);
}

// Cancels that arrive while children enter and leave the stack of scopes.
TEST_P(Locals, CancelRacesWithInheritance) {
  for (int round = 0; round < 300; ++round) {
    auto task = runtime_->spawn([]() -> Task<Result<int>> {
      struct Rounds {
        static Task<int> once() {
          co_await yield_now();
          co_return co_await read_number();
        }
        static Task<Result<int>> run() {
          int sum = 0;
          for (int i = 0; i < 5; ++i) {
            auto [a, b] = co_await when_all(once(), word.with("x", once()));
            sum += *a + *b;
          }
          co_return sum;
        }
      };
      co_return co_await number.with(1, Rounds::run());
    });
    if (round % 3 == 0) std::this_thread::yield();
    task.cancel();
    ASSERT_EQ(*task.wait(), 10);
  }
}

ZOKIO_RUNTIME_MATRIX(Locals);

}  // namespace
}  // namespace zokio

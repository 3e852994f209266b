// SPDX-License-Identifier: Apache-2.0
//
// Plain threads, for orientation: the pool that one writes in an afternoon, a deque under a mutex
// with a condition variable.

#include <deque>
#include <functional>
#include <thread>

#include "../harness.h"

namespace {

using bench::Config;
using bench::measure;
using bench::sum_below;
using bench::Tally;

constexpr uint64_t kTasks = 10'000;
constexpr uint64_t kSequential = 100;

class Pool {
 public:
  explicit Pool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void post(std::function<void()> f) {
    {
      std::scoped_lock lock(mutex_);
      queue_.push_back(std::move(f));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto f = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      f();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

// Also what the pool has for blocking_many: its threads may block.
void spawn_many_local(const Config& config) {
  Pool pool(config.workers);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    for (uint64_t i = 0; i < kTasks; ++i) pool.post([&tally, i] { tally.add(i); });
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void spawn_many_worker(const Config& config) {
  Pool pool(config.workers);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    pool.post([&pool, &tally] {
      for (uint64_t i = 0; i < kTasks; ++i) pool.post([&tally, i] { tally.add(i); });
    });
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void remote_roundtrip(const Config& config) {
  Pool pool(config.workers);
  Tally tally;
  measure(config, 1, [&, i = uint64_t{0}]() mutable {
    tally.expect(1);
    pool.post([&tally, value = ++i] { tally.add(value); });
    tally.wait();
    return tally.is(i);
  });
}

// One pool asks another for each value and waits for it on a latch.
void blocking_seq(const Config& config) {
  Pool workers(config.workers), blocking(config.workers);
  Tally all, one;
  measure(config, kSequential, [&] {
    all.expect(1);
    workers.post([&] {
      uint64_t sum = 0;
      for (uint64_t i = 0; i < kSequential; ++i) {
        one.expect(1);
        blocking.post([&one, i] { one.add(i); });
        one.wait();
        sum += i * one.is(i);
      }
      all.add(sum);
    });
    all.wait();
    return all.is(sum_below(kSequential));
  });
}

constexpr bench::Workload kWorkloads[] = {{"control", &bench::control},
                                          {"spawn_many_local", &spawn_many_local},
                                          {"spawn_many_worker", &spawn_many_worker},
                                          {"remote_roundtrip", &remote_roundtrip},
                                          {"blocking_seq", &blocking_seq},
                                          {"blocking_many", &spawn_many_local}};

}  // namespace

int main(int argc, char** argv) {
  return bench::main_of(argc, argv, kWorkloads);
}

// SPDX-License-Identifier: Apache-2.0
// Waiting for room in the pool of buffers.
//
// The tasks stand in line for a turn, and only the first asks the pool. It asks again when a buffer
// was freed or a limit changed, and now and then besides, because room also comes from where nobody
// tells: other pools under the common limit, caches that were emptied.

#include "zokio/lease.h"

#include "mem/pool.h"
#include "zokio/sync/notify.h"
#include "zokio/sync/semaphore.h"
#include "zokio/timeout.h"

namespace zokio {
namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(10);

// Process-wide, as the pools are, and never destroyed: buffers may be freed after exit.
struct Line {
  sync::Semaphore turn{1};
  sync::Notify room;
};
Line& line() {
  static Line* const the_line = new Line;
  return *the_line;
}

mem::Pool& buffers() {
  return mem::pool(mem::PoolId::Buffers);
}

bool within(const mem::Budget& budget, std::size_t bytes) {
  const uint64_t limit = budget.limit();
  return limit == 0 || bytes <= limit;
}

bool worth_waiting(const Error& error, std::size_t bytes) {
  return error.code == Errc::ResourceExhausted && error.detail == Detail::Limit &&
         buffers().settings().when_full == mem::WhenFull::Wait &&
         within(buffers().budget(), bytes) && within(mem::total_budget(), bytes);
}

// One that waits, for the figures and for who frees.
class Waiting : Pinned {
 public:
  Waiting() : begin_(Instant::now()) {
    mem::on_room([] { line().room.notify_one(); });
    buffers().waiters().fetch_add(1);
    buffers().counts().waits.add_shared();
  }
  ~Waiting() {
    buffers().waiters().fetch_sub(1);
    const Duration waited = Instant::now() - begin_;
    buffers().counts().wait_ns.add_shared(static_cast<uint64_t>(waited.count()));
  }

 private:
  const Instant begin_;
};

Task<Result<void>> room_changed() {
  co_return co_await line().room.wait();
}

}  // namespace

Task<Result<mem::Buffer>> lease_async(std::size_t bytes) {
  if (buffers().waiters().load(std::memory_order_relaxed) == 0) {
    Result<mem::Buffer> now = mem::lease(bytes);
    if (now.has_value() || !worth_waiting(now.error(), bytes)) co_return now;
  }
  const Waiting waiting;
  ZOKIO_CO_TRY(const sync::Semaphore::Permit turn, co_await line().turn.acquire());
  while (true) {
    Result<mem::Buffer> got = mem::lease(bytes);
    if (got.has_value() || !worth_waiting(got.error(), bytes)) co_return got;
    const Result<void> changed = co_await with_timeout(room_changed(), kAskAgain);
    if (!changed.has_value() && changed.error().code != Errc::DeadlineExceeded)
      co_return fail(changed.error());
  }
}

}  // namespace zokio

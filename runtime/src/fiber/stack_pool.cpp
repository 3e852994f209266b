// SPDX-License-Identifier: Apache-2.0
#include "fiber/stack_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>

#include "mem/client_pool.h"
#include "mem/mapping.h"
#include "mem/poison.h"
#include "zokio/base/assert.h"

namespace zokio::fibers {
namespace {

Stack* pop(Stack*& list) noexcept {
  Stack* stack = list;
  if (stack != nullptr) list = stack->next;
  return stack;
}

void push(Stack*& list, Stack* stack) noexcept {
  stack->next = list;
  list = stack;
}

}  // namespace

StackPool& stack_pool() noexcept {
  // Never destroyed: a detached thread may still be in a fiber when the program ends.
  alignas(StackPool) static std::byte place[sizeof(StackPool)];
  static StackPool* const pool = new (place) StackPool;
  return *pool;
}

StackSnapshot stack_snapshot() noexcept {
  return stack_pool().snapshot();
}
Result<void> set_stack_limit(uint64_t bytes, bool force) noexcept {
  return stack_pool().set_limit(bytes, force);
}
uint64_t trim_stacks() noexcept {
  return stack_pool().trim();
}

namespace {

class StackClient final : public mem::ClientPool {
 public:
  std::string_view name() const noexcept override { return "stacks"; }

  PoolSnapshot snapshot() override {
    const StackSnapshot s = stack_pool().snapshot();
    PoolSnapshot out;
    out.name = name();
    out.limit_bytes = s.limit_bytes;
    out.in_use_bytes = s.in_use_bytes;
    out.cached_bytes = s.cached_bytes;
    out.high_water_bytes = s.high_water_bytes;
    out.objects_in_use = s.in_use;
    out.hits_shared = s.reused;
    out.misses_os = s.created;
    out.frees = s.created + s.reused - s.in_use;
    out.released_bytes = s.released_bytes;
    out.failures_limit = s.failures_limit;
    out.failures_os = s.failures_os;
    out.shrinking = s.limit_bytes != 0 && s.in_use_bytes + s.cached_bytes > s.limit_bytes;
    return out;
  }

  Result<void> check_limit(uint64_t bytes, bool force) override {
    if (bytes != 0 && bytes < stack_pool().snapshot().in_use_bytes && !force)
      return fail(Errc::FailedPrecondition, "fiber stack limit", Detail::Limit);
    return {};
  }

  Result<mem::LimitReport> set_limit(uint64_t bytes, bool force) override {
    const StackSnapshot before = stack_pool().snapshot();
    ZOKIO_CHECKED(stack_pool().set_limit(bytes, force));
    const StackSnapshot after = stack_pool().snapshot();
    mem::LimitReport report{.from = before.limit_bytes, .requested = bytes};
    report.held_bytes = after.in_use_bytes + after.cached_bytes;
    report.released_bytes = after.released_bytes - before.released_bytes;
    if (bytes != 0 && report.held_bytes > bytes) report.residual_bytes = report.held_bytes - bytes;
    return report;
  }

  uint64_t trim() override { return stack_pool().trim(); }
};

}  // namespace

void show_stacks() noexcept {
  alignas(StackClient) static std::byte place[sizeof(StackClient)];
  static StackClient* const client = new (place) StackClient;
  mem::add_client_pool(*client);
}

StackPool::~StackPool() {
  ZOKIO_CHECK(counts_.in_use == 0, "a pool of stacks ends while fibers run");
  trim();
}

unsigned StackPool::class_of(std::size_t bytes) noexcept {
  const std::size_t rounded = std::bit_ceil(std::max(bytes, kMinStackBytes));
  return static_cast<unsigned>(std::countr_zero(rounded) - std::countr_zero(kMinStackBytes));
}

Result<Stack*> StackPool::acquire(std::size_t bytes) noexcept {
  if (bytes > kMaxStackBytes) return fail(Errc::InvalidArgument, "fiber stack");
  const unsigned size_class = class_of(bytes);
  {
    std::scoped_lock guard(lock_);
    if (Stack* stack = take_cached(size_class)) {
      ++counts_.reused;
      lend(*stack);
      return stack;
    }
  }
  return create(kMinStackBytes << size_class);
}

// With the lock held.
Stack* StackPool::take_cached(unsigned size_class) noexcept {
  Lists& lists = lists_[size_class];
  const bool warm = lists.warm != nullptr;
  Stack* stack = pop(warm ? lists.warm : lists.cold);
  if (stack == nullptr) return nullptr;
  (warm ? warm_bytes_ : cold_bytes_) -= stack->bytes;
  --counts_.cached;
  return stack;
}

// With the lock held.
void StackPool::lend(const Stack& stack) noexcept {
  counts_.in_use_bytes += stack.bytes;
  counts_.high_water = std::max(counts_.high_water, ++counts_.in_use);
}

bool StackPool::reserve(std::size_t bytes) noexcept {
  if (!held_.add(bytes)) return false;
  if (count_.add(1)) return true;
  held_.subtract(bytes);
  return false;
}

Result<Stack*> StackPool::create(std::size_t bytes) noexcept {
  bool room = reserve(bytes);
  if (!room) {
    // Cached stacks of other sizes may stand in the way of this one.
    shrink_cache(bytes);
    room = reserve(bytes);
  }
  Stack* stack = nullptr;
  if (room) {
    stack = map_stack(bytes);
    if (stack == nullptr && shrink_cache(UINT64_MAX).unmapped > 0) stack = map_stack(bytes);
    if (stack == nullptr) {
      held_.subtract(bytes);
      count_.subtract(1);
    }
  }
  std::scoped_lock guard(lock_);
  if (stack == nullptr) {
    ++(room ? counts_.failures_os : counts_.failures_limit);
    return fail(Errc::ResourceExhausted, "fiber stack", room ? Detail::None : Detail::Limit);
  }
  ++counts_.created;
  lend(*stack);
  return stack;
}

Stack* StackPool::map_stack(std::size_t bytes) noexcept {
  auto* stack = new (std::nothrow) Stack;
  if (stack == nullptr) return nullptr;
  stack->bytes = bytes;
  stack->mapping = mem::map(kGuardBytes + bytes, mem::kPageBytes);
  // The guard is a mapping of its own, and the system limits their number.
  if (stack->mapping != nullptr && ::mprotect(stack->mapping, kGuardBytes, PROT_NONE) != 0) {
    mem::unmap(stack->mapping, kGuardBytes + bytes);
    stack->mapping = nullptr;
  }
  if (stack->mapping == nullptr) {
    delete stack;
    return nullptr;
  }
  return stack;
}

// Of a stack that is in no list. Returns the resident bytes.
uint64_t StackPool::unmap_stack(Stack* stack) noexcept {
  const uint64_t resident = mem::unmap(stack->mapping, kGuardBytes + stack->bytes);
  held_.subtract(stack->bytes);
  count_.subtract(1);
  delete stack;
  return resident;
}

void StackPool::release(Stack* stack) noexcept {
  // Frames that were left without returning have poisoned it.
  mem::unpoison(stack->bottom(), stack->bytes);
  const unsigned size_class = class_of(stack->bytes);
  const bool over = held_.over();
  bool keep = false;
  {
    std::scoped_lock guard(lock_);
    --counts_.in_use;
    counts_.in_use_bytes -= stack->bytes;
    if (!over && warm_bytes_ + stack->bytes <= kWarmBytes) {
      warm_bytes_ += stack->bytes;
      ++counts_.cached;
      push(lists_[size_class].warm, stack);
      return;
    }
    if (!over && cold_bytes_ + stack->bytes <= kColdBytes) {
      cold_bytes_ += stack->bytes;  // a place in the list, taken below
      ++counts_.cached;
      keep = true;
    }
  }
  const uint64_t released = keep ? mem::discard(stack->bottom(), stack->bytes) : unmap_stack(stack);
  std::scoped_lock guard(lock_);
  counts_.released_bytes += released;
  if (keep) push(lists_[size_class].cold, stack);
}

// Unmaps cached stacks, large ones first, until `wanted` bytes are gone or nothing is left.
StackPool::Shrunk StackPool::shrink_cache(uint64_t wanted) noexcept {
  Shrunk shrunk;
  while (shrunk.unmapped < wanted) {
    Stack* stack = nullptr;
    {
      std::scoped_lock guard(lock_);
      for (unsigned c = kClasses; c-- > 0 && stack == nullptr;) stack = take_cached(c);
    }
    if (stack == nullptr) break;
    shrunk.unmapped += stack->bytes;
    shrunk.released += unmap_stack(stack);
  }
  std::scoped_lock guard(lock_);
  counts_.released_bytes += shrunk.released;
  return shrunk;
}

Result<void> StackPool::set_limit(uint64_t bytes, bool force) noexcept {
  {
    std::scoped_lock guard(lock_);
    if (bytes != 0 && bytes < counts_.in_use_bytes && !force)
      return fail(Errc::FailedPrecondition, "fiber stack limit", Detail::Limit);
  }
  held_.set_limit(bytes);
  shrink_cache(held_.excess());
  return {};
}

uint64_t StackPool::trim() noexcept {
  return shrink_cache(UINT64_MAX).released;
}

StackSnapshot StackPool::snapshot() noexcept {
  StackSnapshot out;
  {
    std::scoped_lock guard(lock_);
    out = counts_;
    out.cached_bytes = warm_bytes_ + cold_bytes_;
  }
  out.high_water_bytes = held_.high_water();
  out.limit_bytes = held_.limit();
  return out;
}

}  // namespace zokio::fibers

// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/fork.h"

#include <memory>

#include "zokio/mem/frame.h"
#include "zokio/task/local.h"
#include "zokio/task/switch.h"
#include "zokio/task/wait.h"

namespace zokio::task {
namespace {

// How a branch hangs on its fork once it is a task.
struct BranchTask : Pinned {
  BranchTask(Fork& f, Promise* branch) noexcept
      : fork(&f), locals(*f.innermost()), link(*f.innermost(), branch) {}

  Fork* const fork;
  SharedLocals locals;
  ChildLink link;
};

// Branches are cancelled, not the wait for them.
constexpr WaitOps kForkOps{&ignore_interrupt, "fork"};
constinit Wait fork_wait(&kForkOps);

// The branches of a task that gives the others a turn come along with it: whichever worker goes on
// with the task has them in its deque then.
class Restart {
 public:
  struct promise_type {
    static void* operator new(std::size_t bytes) { return mem::allocate_frame(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept {
      mem::free_frame(frame, bytes);
    }
    Restart get_return_object() noexcept {
      return Restart(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {}
  };

  // Oldest first.
  static Restart with(Promise* oldest, std::coroutine_handle<> first) {
    for (Promise* branch = oldest; branch != nullptr;) {
      Promise* const next = static_cast<Promise*>(branch->next);
      context().forks->push(branch);
      branch = next;
    }
    co_await GoTo{first};
  }
  std::coroutine_handle<> handle() const noexcept { return handle_; }

 private:
  // The end of the coroutine, which frees itself.
  struct GoTo {
    std::coroutine_handle<> to;
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self) const noexcept {
      const std::coroutine_handle<> next = to;
      self.destroy();
      return next;
    }
    void await_resume() const noexcept {}
  };

  explicit Restart(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

}  // namespace

// The parent has no scope in force, so branches that are stolen would have nothing to be cancelled
// with. Only the outermost fork of a task comes here; the memory is not worth room in every fork.
// A task that forks is not short, so it is listed as one that awaits.
void Fork::enter_own_scope() noexcept {
  if (Header* self = current_task(); self->slot == kUnlisted) enlist(self);
  auto* own = new (mem::allocate_frame(sizeof(CancelScope))) CancelScope;
  scope = reinterpret_cast<uintptr_t>(own) | kOwnScope;
}

void Fork::end_unusual() noexcept {
  if (left == kWaited) end_wait(current_task());
  if ((scope & kOwnScope) == 0) return;
  std::destroy_at(innermost());
  mem::free_frame(innermost(), sizeof(CancelScope));
}

// Somebody asks, a look at the worker's duties is due, or the deque is full.
std::coroutine_handle<> Fork::begin_unusual(Promise* const* branches, unsigned n) noexcept {
  ForkDeque& deque = *context().forks;
  ForkHost& host = *context().fork_host;
  const uintptr_t link = reinterpret_cast<uintptr_t>(this) | kBranch;
  for (unsigned i = 0; i < n; ++i) branches[i]->link.store(link, std::memory_order_relaxed);
  const bool yields = host.look_at_forks();
  unsigned fit = n;
  while (fit > 1 && !deque.room(fit - 1)) --fit;
  // The last ones go to the deque, those in between are held back.
  const unsigned held = n - fit;
  for (unsigned i = n - 1; i > held; --i) deque.push(branches[i]);
  if (held > 0) hold_back(branches + 1, held);
  if (deque.asked())
    host.share_forks();
  else
    deque.find_room();
  const std::coroutine_handle<> first = branches[0]->handle();
  if (!yields) return first;
  // The first branch has not begun: to resume the task is to begin it.
  Promise* oldest = nullptr;
  while (Promise* branch = deque.pop()) {
    branch->next = oldest;
    oldest = branch;
  }
  deque.settle();
  Header* self = suspend_current(Restart::with(oldest, first).handle());
  executor_of(self)->schedule_last(self);
  return std::noop_coroutine();
}

void Fork::hold_back(Promise* const* branches, unsigned n) noexcept {
  for (unsigned i = 0; i < n; ++i) branches[i]->next = i + 1 < n ? branches[i + 1] : nullptr;
  held_back = new (mem::allocate_frame(sizeof(HeldBack))) HeldBack{parent, branches[0]};
  left += kHeldBack;
}

// Takes out the first that was held back; as many of the others as there is room for are pushed.
Promise* Fork::next_held_back(ForkDeque& deque) noexcept {
  HeldBack* const held = held_back;
  Promise* const next = held->first;
  held->first = static_cast<Promise*>(next->next);
  while (held->first != nullptr && deque.room(1)) {
    Promise* const pushed = held->first;
    held->first = static_cast<Promise*>(pushed->next);
    deque.push(pushed);
  }
  if (held->first == nullptr) {
    left -= kHeldBack;
    std::construct_at(&parent, held->parent);
    mem::free_frame(held, sizeof(HeldBack));
  }
  return next;
}

std::coroutine_handle<> Fork::go_on() noexcept {
  ForkDeque& deque = *context().forks;
  Promise* next = left < 0 ? next_held_back(deque) : deque.pop();
  if (deque.asked()) context().fork_host->share_forks();
  return next != nullptr ? next->handle() : wait_for_stolen();
}

// Nothing is in the deque: the others are stolen, or became tasks when the poll ended.
std::coroutine_handle<> Fork::wait_for_stolen() noexcept {
  Header* self = suspend_current(parent);
  const std::coroutine_handle<> h = parent;
  show_wait(self, &fork_wait);
  const int32_t wanted = left;
  left = kWaited;
  // Ordering: release publishes resume_point to the last that ends; acquire shows what all wrote.
  if (arrived.fetch_sub(wanted, std::memory_order_acq_rel) == wanted) return h;
  return std::noop_coroutine();
}

Header* make_branch_task(Promise* branch) noexcept {
  Fork& fork = *reinterpret_cast<Fork*>(branch->link.load(std::memory_order_relaxed) - kBranch);
  Header* parent = fork.innermost()->task();
  branch->become_task();
  executor_of(parent)->adopt(branch, "fork");
  // From here on it can be cancelled by its parent.
  auto* how = new (mem::allocate_frame(sizeof(BranchTask))) BranchTask(fork, branch);
  if (how->locals.first != nullptr) branch->scope.store(&how->locals, std::memory_order_release);
  branch->link.store(reinterpret_cast<uintptr_t>(how) | kBranch | kStolen,
                     std::memory_order_relaxed);
  return branch;
}

std::coroutine_handle<> end_stolen(Promise* branch, Ending ending) noexcept {
  auto* how = reinterpret_cast<BranchTask*>(branch->link.load(std::memory_order_relaxed) &
                                            ~(kBranch | kStolen));
  Fork* fork = how->fork;
  branch->drop_parameters();
  executor_of(branch)->finished(branch, ending);
  if (how->locals.first != nullptr) drop_locals(branch);
  std::destroy_at(how);
  mem::free_frame(how, sizeof(BranchTask));
  // Ordering: release publishes the outcome to the parent; acquire, because its header is read.
  // The last touch of frame and fork, unless the parent waits for this one.
  if (fork->arrived.fetch_add(1, std::memory_order_acq_rel) != -1) return std::noop_coroutine();
  return switch_to(fork->innermost()->task());
}

}  // namespace zokio::task

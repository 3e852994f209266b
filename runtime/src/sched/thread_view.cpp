// SPDX-License-Identifier: Apache-2.0
// The handler: it reads the thread's context and unwinds. Both take no lock and no memory (the
// unwinder of Debian 12 looks tables up without one, and is loaded before the first signal). It
// runs on the alternate stack where there is one; on the small stack of a fiber there is.

#include "sched/thread_view.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "base/env.h"
#include "sched/worker.h"
#include "zokio/task/context.h"

namespace zokio::sched {
namespace {

constexpr int kSignal = SIGURG;

// Constant once the handler is installed.
struct sigaction previous;

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0)
    previous.sa_sigaction(signal, info, context);
  else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    previous.sa_handler(signal);
}

// The owner writes it plainly, thousands of times for each time that somebody looks. The word is
// read whole on the machines that we know, and what it says is compared, not followed.
__attribute__((no_sanitize_thread, noinline)) task::Header* peek(task::Header* const& word) {
  return *const_cast<task::Header* const volatile*>(&word);
}

}  // namespace

struct SignalEntry {
  static void handle(int signal, siginfo_t* info, void* context) noexcept {
    const int saved_errno = errno;
    const task::Context& own = task::context();
    if (info->si_code == SI_TKILL && info->si_pid == ::getpid() && own.self != nullptr)
      own.self->view().answer(own);
    else
      pass_on(signal, info, context);
    errno = saved_errno;
  }
};

void ThreadView::install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    void* warm[2];
    ::backtrace(warm, 2);  // loads the unwinder
    struct sigaction ours{};
    ours.sa_sigaction = &SignalEntry::handle;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    ::sigaction(kSignal, &ours, &previous);
  });
}

void ThreadView::open() noexcept {
  std::scoped_lock guard(lock_);
  context_ = &task::context();
  tid_ = ::gettid();
}

void ThreadView::close() noexcept {
  std::scoped_lock guard(lock_);
  context_ = nullptr;
}

task::Header* ThreadView::current() noexcept {
  std::scoped_lock guard(lock_);
  return context_ != nullptr ? peek(context_->current) : nullptr;
}

std::string_view ThreadView::read_file(const char* name, std::array<char, 512>& text) noexcept {
  char path[64];
  {
    std::scoped_lock guard(lock_);
    if (context_ == nullptr) return {};
    std::snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid_, name);
  }
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t n = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (n <= 0) return {};
  text[static_cast<std::size_t>(n)] = '\0';
  return {text.data(), static_cast<std::size_t>(n)};
}

ThreadView::Times ThreadView::times() noexcept {
  Times times;
  std::array<char, 512> text;
  if (!read_file("schedstat", text).empty()) {
    char* rest = nullptr;
    times.ran_ns = std::strtoull(text.data(), &rest, 10);
    times.waited_ns = std::strtoull(rest, nullptr, 10);
  }
  const std::string_view stat = read_file("stat", text);  // 12 (name) R ...
  const auto name_end = stat.rfind(')');
  times.runnable = name_end + 2 < stat.size() && stat[name_end + 2] == 'R';
  return times;
}

bool ThreadView::ask() noexcept {
  std::scoped_lock guard(lock_);
  if (context_ == nullptr) return false;
  state_.store(kAsked, std::memory_order_release);
  if (::syscall(SYS_tgkill, ::getpid(), tid_, kSignal) == 0) return true;
  state_.store(kNone, std::memory_order_relaxed);
  return false;
}

void ThreadView::answer(const task::Context& context) noexcept {
  uint32_t asked = kAsked;
  if (!state_.compare_exchange_strong(asked, kWriting, std::memory_order_acquire)) return;
  stack_.at_ns = env::now_ns();
  stack_.task = context.current;
  stack_.polls = context.self->polls();
  stack_.count = ::backtrace(stack_.frames.data(), static_cast<int>(stack_.frames.size()));
  state_.store(kAnswered, std::memory_order_release);
}

bool ThreadView::take_answer(Stack& out) noexcept {
  if (state_.load(std::memory_order_acquire) != kAnswered) return false;
  out = stack_;
  state_.store(kNone, std::memory_order_release);
  return true;
}

void ThreadView::give_up() noexcept {
  uint32_t asked = kAsked;
  if (state_.compare_exchange_strong(asked, kNone, std::memory_order_relaxed)) return;
  Stack late;
  take_answer(late);
}

}  // namespace zokio::sched

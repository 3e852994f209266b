// SPDX-License-Identifier: Apache-2.0
// The handler uses only what is allowed in one: write, sigaction and memory of its own.

#include "fiber/overflow.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "mem/mapping.h"
#include "zokio/base/assert.h"
#include "zokio/fiber/machine.h"

namespace zokio::fibers {
namespace {

// Room for a handler of the program's own that prints a backtrace.
constexpr std::size_t kSignalStackBytes = std::size_t{64} << 10;

// Constant once the handler is installed.
struct sigaction previous;

class Line {
 public:
  void text(const char* s) noexcept {
    const std::size_t n = std::min(std::strlen(s), buffer_.size() - length_);
    std::memcpy(buffer_.data() + length_, s, n);
    length_ += n;
  }
  void number(std::size_t n) noexcept {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    do digits[--at] = static_cast<char>('0' + n % 10);
    while ((n /= 10) != 0);
    text(digits.data() + at);
  }
  void print() const noexcept {
    // Nothing can be done about a failing write here.
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, buffer_.data(), length_);
  }

 private:
  std::array<char, 256> buffer_;
  std::size_t length_ = 0;
};

void report(const Fiber& fiber) noexcept {
  Line line;
  line.text("zokio: stack overflow in fiber '");
  line.text(fiber.name());
  line.text("' (");
  line.number(fiber.stack_bytes() / 1024);
  line.text(" KiB stack); give it a larger FiberOptions::stack_bytes\n");
  line.print();
}

// Made by the instruction that was interrupted, which will make it again when the handler returns.
bool is_fault(const siginfo_t* info) noexcept {
  return info->si_code > 0;
}

// The default action, on the instruction that faulted, so that a core file shows it.
void die(int signal, const siginfo_t* info) noexcept {
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(signal, &by_default, nullptr);
  if (!is_fault(info)) ::syscall(SYS_tgkill, ::getpid(), ::gettid(), signal);
}

void pass_on(int signal, siginfo_t* info, void* context) noexcept {
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler == SIG_DFL) {
    die(signal, info);
  } else if (previous.sa_handler == SIG_IGN) {
    // The kernel ignores what was sent, and kills for a fault whatever is ignored.
    if (is_fault(info)) die(signal, info);
  } else {
    previous.sa_handler(signal);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;
  const Fiber* fiber = Fiber::current();
  if (is_fault(info) && fiber != nullptr && fiber->guards(info->si_addr)) {
    report(*fiber);
    die(signal, info);
  } else {
    pass_on(signal, info, context);
  }
  errno = saved_errno;
}

// A stack for signals, as long as the thread lives.
class SignalStack : Pinned {
 public:
  SignalStack() noexcept {
    stack_t there{};
    if (::sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;
    memory_ = mem::map(kSignalStackBytes, mem::kPageBytes);
    if (memory_ == nullptr) return;  // an overflow is fatal all the same, only without its name
    stack_t ours{};
    ours.ss_sp = memory_;
    ours.ss_size = kSignalStackBytes;
    ZOKIO_CHECK(::sigaltstack(&ours, nullptr) == 0, "sigaltstack refused a stack of 64 KiB");
  }
  ~SignalStack() {
    if (memory_ == nullptr) return;
    stack_t there{};
    if (::sigaltstack(nullptr, &there) == 0 && there.ss_sp == memory_) {
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    mem::unmap(memory_, kSignalStackBytes);
  }

 private:
  std::byte* memory_ = nullptr;
};

void install() noexcept {
  if (::sigaction(SIGSEGV, nullptr, &previous) != 0) return;
  struct sigaction ours = previous;
  // The flags and the mask of the previous handler hold for it as before.
  ours.sa_flags &= SA_NODEFER | SA_RESETHAND | SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;
  ours.sa_flags |= SA_SIGINFO | SA_ONSTACK;
  ours.sa_sigaction = &on_fault;
  ::sigaction(SIGSEGV, &ours, nullptr);
}

}  // namespace

void watch_for_overflow() noexcept {
  static std::once_flag once;
  std::call_once(once, install);
}

void prepare_signal_stack() noexcept {
  static thread_local SignalStack stack;
  static_cast<void>(stack);
}

}  // namespace zokio::fibers

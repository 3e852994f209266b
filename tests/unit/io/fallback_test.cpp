// SPDX-License-Identifier: Apache-2.0

// What happens where io_uring is forbidden: a filter like that of container runtimes answers EPERM.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "io/driver.h"
#include "os/ring.h"

namespace zokio::io {
namespace {

void forbid_io_uring(int error) {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K,
               SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = 4, .filter = const_cast<sock_filter*>(filter)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("seccomp");
    std::_Exit(2);
  }
}

// Exit code 0 and the reason on standard error, when everything is as it should be.
[[noreturn]] void choose_without_io_uring(int error) {
  forbid_io_uring(error);
  auto automatic = Driver::create({.backend = Backend::Auto});
  if (!automatic.has_value() || (*automatic)->backend() != Backend::Epoll) std::_Exit(3);
  if ((*automatic)->snapshot().backend != "epoll") std::_Exit(4);
  if ((*automatic)->snapshot().fallback_reason != (*automatic)->fallback_reason()) std::_Exit(5);
  auto reactor = (*automatic)->open_reactor(0, "test");
  if (!reactor.has_value()) std::_Exit(6);
  auto insisting = Driver::create({.backend = Backend::Uring});
  if (insisting.has_value() || insisting.error().code != Errc::Unavailable ||
      insisting.error().os_errno != error) {
    std::_Exit(7);
  }
  std::fprintf(stderr, "reason=%s\n", (*automatic)->fallback_reason().c_str());
  std::_Exit(0);
}

TEST(FallbackDeathTest, EpollWithTheReason) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(choose_without_io_uring(EPERM), testing::ExitedWithCode(0),
              "reason=EPERM: io_uring_setup refused \\(seccomp or kernel.io_uring_disabled=");
  EXPECT_EXIT(choose_without_io_uring(ENOSYS), testing::ExitedWithCode(0),
              "reason=ENOSYS: io_uring_setup refused");
  EXPECT_EXIT(choose_without_io_uring(ENOMEM), testing::ExitedWithCode(0),
              "reason=ENOMEM: io_uring_setup refused");
}

TEST(Fallback, EpollOnRequestHasNoReason) {
  auto driver = Driver::create({.backend = Backend::Epoll});
  ASSERT_TRUE(driver.has_value());
  EXPECT_EQ((*driver)->backend(), Backend::Epoll);
  EXPECT_EQ((*driver)->fallback_reason(), "");
}

TEST(Fallback, RingEntriesHaveBounds) {
  for (unsigned entries : {0u, 31u, 4097u}) {
    auto driver = Driver::create({.backend = Backend::Epoll, .ring_entries = entries});
    EXPECT_EQ(driver.error().code, Errc::InvalidArgument) << entries;
  }
}

// Every level of the ladder that this kernel takes gives a ring that works.
TEST(Ring, OlderKernelsFlagsWorkToo) {
  if (!os::Ring::open({}).has_value()) GTEST_SKIP() << "no io_uring here";
  const unsigned base = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  for (unsigned flags :
       {base, base | IORING_SETUP_SUBMIT_ALL,
        base | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG}) {
    auto ring = os::Ring::open({.entries = 32, .setup_flags = flags});
    ASSERT_TRUE(ring.has_value());
    for (uint64_t i = 0; i < 20; ++i) {
      io_uring_sqe* entry = (*ring)->next_entry();
      ASSERT_NE(entry, nullptr);
      entry->opcode = IORING_OP_NOP;
      entry->user_data = i;
    }
    EXPECT_EQ((*ring)->unsubmitted(), 20u);
    EXPECT_EQ((*ring)->enter(true, Instant::never()), 0);
    EXPECT_EQ((*ring)->unsubmitted(), 0u);
    os::Ring::Completion completion;
    for (uint64_t i = 0; i < 20; ++i) {
      ASSERT_TRUE((*ring)->next_completion(completion));
      EXPECT_EQ(completion.user_data, i);
      EXPECT_EQ(completion.result, 0);
    }
    EXPECT_FALSE((*ring)->next_completion(completion));
  }
}

}  // namespace
}  // namespace zokio::io

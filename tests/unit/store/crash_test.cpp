// SPDX-License-Identifier: Apache-2.0
// A child writes and reports every acknowledged job over a pipe; it is killed at a random moment,
// and everything it reported has to be in the file. Seeded: ZOKIO_SEED.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <random>

#include "jobs.h"
#include "store/sqlite_journal.h"
#include "store/store.h"

namespace zokiod::store {
namespace {

using model::JobState;
using model::Outcome;
using model::Trigger;

// What the child tells after an acknowledgement.
struct Ack {
  JobId id;
  uint8_t finished;  // 0: the insert, 1: the result
};
static_assert(sizeof(Ack) == 17);

// Runs until it is killed: each job is inserted, started and finished, many at a time.
[[noreturn]] void write_until_killed(const std::string& dir, int pipe) {
  auto journal = open_sqlite_journal(dir);
  if (!journal) ::_exit(3);
  Store store(*std::move(journal));
  if (!store.open()) ::_exit(4);
  const auto tell = [pipe](const JobId& id, uint8_t finished) {
    const Ack ack{id, finished};
    if (::write(pipe, &ack, sizeof ack) != sizeof ack) ::_exit(5);
  };
  for (int i = 0; i < 1'000'000; ++i) {
    const Job job = new_job();
    const Job running = after(job, Trigger::Start);
    store.write(Insert{job}, [tell, id = job.id](zokio::Result<void> r) {
      if (r) tell(id, 0);
    });
    store.write(StartAttempt{running}, [](zokio::Result<void> r) {
      if (!r) ::_exit(6);
    });
    if (i % 3 != 0)
      store.write(FinishAttempt{after(running, Trigger::Succeed), Outcome::Succeeded, "x", 0},
                  [tell, id = job.id](zokio::Result<void> r) {
                    if (r) tell(id, 1);
                  });
    while (store.stats().depth > 200) ::usleep(100);  // a queue as under load, not without bound
  }
  ::_exit(0);
}

TEST(StoreCrash, EverythingAcknowledgedIsThereAfterAKill) {
  const char* given = ::getenv("ZOKIO_SEED");
  const uint64_t seed = given ? ::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("ZOKIO_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  TempDir dir;
  std::map<JobId, uint8_t> acked;
  for (int round = 0; round < 10; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(dir.path(), ends[1]);
    ::close(ends[1]);
    // Killed after a random number of acknowledgements: the moment is the child's, not a clock's.
    const uint64_t until = random() % 400;
    Ack ack;
    uint64_t got = 0;
    while (::read(ends[0], &ack, sizeof ack) == sizeof ack) {
      uint8_t& state = acked[ack.id];
      state = std::max(state, ack.finished);
      if (++got == until + 1) ::kill(child, SIGKILL);  // the rest of the pipe still counts
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
    ::close(ends[0]);

    auto journal = open_sqlite_journal(dir.path());
    ASSERT_TRUE(journal) << journal.error().message;
    const auto back = (*journal)->load();
    ASSERT_TRUE(back);
    std::map<JobId, JobState> found;
    for (const Job& job : back->jobs) {
      found.emplace(job.id, job.state);
      ASSERT_NE(job.state, JobState::Running);
    }
    for (const auto& [id, finished] : acked) {
      const auto it = found.find(id);
      ASSERT_NE(it, found.end()) << "acknowledged and gone: " << id.to_string();
      if (finished) ASSERT_EQ(it->second, JobState::Succeeded) << id.to_string();
    }
  }
  EXPECT_GT(acked.size(), 100u);
}

}  // namespace
}  // namespace zokiod::store

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The explorer behind explorer.h: fibers, who goes next, the steps on atomic locations, the trace.
//
// There is one Engine. `inside()` says that a hook is at work, so that what it allocates and
// touches itself is not taken for the program's.

#include <ucontext.h>

#include <string>
#include <utility>
#include <vector>

#include "decisions.h"
#include "memory.h"
#include "model/explorer.h"
#include "shadow.h"

namespace zokio::model {

class Engine {
 public:
  static Engine& get();

  Report explore(const char* name, const Options& options, const Body& body);

  // Whether a program runs and asks, as opposed to the explorer itself or nobody.
  static bool watching() { return running_ && !inside_; }
  unsigned current() const { return current_; }

  // What hooks.cpp and the public functions call. Requires: watching().
  uint64_t load(const void* at, unsigned size, std::memory_order order, Place place, bool step);
  void store(void* at, unsigned size, uint64_t value, std::memory_order order, Place place,
             bool step);
  uint64_t modify(void* at, unsigned size, Rmw what, uint64_t operand, std::memory_order order,
                  Place place, bool step);
  bool compare_exchange(void* at, unsigned size, uint64_t& expected, uint64_t desired,
                        std::memory_order success, std::memory_order failure, bool weak,
                        Place place);
  void fence(std::memory_order order, Place place);
  void spin_pause(Place place);
  void constructed(const void* at);
  void touch(const void* at, size_t size, bool write, Place place);
  void* allocate(size_t bytes, size_t align, const void* code);
  // False when it is none of an execution's memory.
  static bool release(void* at, const void* code);
  bool sleep_on(const void* at, bool has_deadline, Place place);
  void wake(const void* at, unsigned most, Place place, bool step);
  void futex_wait(const void* at, uint32_t expected, bool has_deadline, Place place);
  unsigned new_channel();
  void send(unsigned channel, void* item, Place place);
  void* receive(unsigned channel, Place place);
  void close(unsigned channel, Place place);
  unsigned choose(unsigned n);
  void go(Execution& execution);
  [[noreturn]] void fail(std::string_view text);

 private:
  enum class State : uint8_t { Ready, Spinning, Asleep, Done };
  struct Thread {
    State state = State::Done;
    const char* name = "";
    const void* sleeps_on = nullptr;
    bool has_deadline = false;
    bool timed_out = false;
    unsigned priority = 0;
    struct Look {
      unsigned location;
      uint64_t value;
    };
    std::vector<Look> looked_at;  // since the last pause
    unsigned paused_at = 0;       // the step
    ucontext_t context;
  };
  struct Event {
    uint8_t thread;
    const char* what;
    int location;  // -1: none
    std::memory_order order;
    uint64_t before, after;
    uint16_t age;  // of the value that was read: 0 the newest
    Place place;
  };
  struct Pipe {  // behind a Channel
    struct Item {
      void* what;
      Message edge;
    };
    std::vector<Item> items;
    bool closed = false;
  };
  struct Inside {
    Inside() : before(std::exchange(inside_, true)) {}
    ~Inside() { inside_ = before; }
    const bool before;
  };

  void run_once(const Body& body);
  static void enter_main();
  static void enter_thread();
  void search(Report& report, const Options& options, const Body& body);
  void random(Report& report, const Options& options, const Body& body);
  bool repeat(Report& report, const Body& body, const char* text);

  void step();
  void reschedule();
  struct Able {  // threads that may go on
    unsigned at[kThreads];
    unsigned count = 0;
    void add(unsigned thread) { at[count++] = thread; }
  };
  unsigned pick(const Able& able, bool current_is_first);
  void wait_is_over();
  void switch_to(unsigned next);
  unsigned decide(Kind kind, unsigned n, int suggested = -1);
  unsigned read_index(unsigned location, bool seq_cst);
  void looked(unsigned location, uint64_t value);
  bool look_again(unsigned thread);
  void changed();
  void atomic_touch(const void* at, unsigned size, const Place& place);
  void note(const char* what, int location, std::memory_order order, uint64_t before,
            uint64_t after, unsigned age, const Place& place);
  std::string interleaving() const;

  Memory memory_;
  Shadow shadow_;
  Decisions decisions_;
  Options options_;
  Bounds bounds_;  // of this execution
  Bounds used_;
  std::vector<Thread> threads_ = std::vector<Thread>(kThreads);
  std::vector<Event> trace_;
  std::vector<Pipe> pipes_;
  const Body* body_ = nullptr;
  Execution* execution_ = nullptr;
  ucontext_t host_;
  unsigned current_ = 0;
  unsigned steps_ = 0;
  unsigned idle_turns_ = 0;
  uint64_t longest_ = 1;
  std::vector<unsigned> change_points_;
  bool priorities_ = false;
  bool failed_ = false;
  std::string failure_;

  // Read before there is an Engine, by the allocations that make it.
  static inline constinit bool running_ = false;
  static inline constinit bool inside_ = false;
};

// The same without an execution.
uint64_t modify_now(void* at, unsigned size, Rmw what, uint64_t operand);
bool compare_exchange_now(void* at, unsigned size, uint64_t& expected, uint64_t desired);

// Makes what hooks.cpp keeps new.
void begin_execution() noexcept;

}  // namespace zokio::model

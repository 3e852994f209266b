// SPDX-License-Identifier: Apache-2.0
// The steps on atomic locations, plain accesses, and the trace.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "engine.h"

namespace zokio::model {
namespace {

void put(void* at, unsigned size, uint64_t value) {
  std::memcpy(at, &value, size);
}

uint64_t masked(uint64_t value, unsigned size) {
  return size == 8 ? value : value & ((uint64_t{1} << (8 * size)) - 1);
}

uint64_t apply(Rmw what, uint64_t a, uint64_t b) {
  switch (what) {
    case Rmw::Exchange:
      return b;
    case Rmw::Add:
      return a + b;
    case Rmw::Sub:
      return a - b;
    case Rmw::And:
      return a & b;
    case Rmw::Or:
      return a | b;
    case Rmw::Xor:
      return a ^ b;
  }
  return 0;
}

const char* name_of(Rmw what) {
  switch (what) {
    case Rmw::Exchange:
      return "exchange";
    case Rmw::Add:
      return "fetch_add";
    case Rmw::Sub:
      return "fetch_sub";
    case Rmw::And:
      return "fetch_and";
    case Rmw::Or:
      return "fetch_or";
    case Rmw::Xor:
      return "fetch_xor";
  }
  return "";
}

const char* name_of(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "";
}

}  // namespace

uint64_t modify_now(void* at, unsigned size, Rmw what, uint64_t operand) {
  uint64_t before = 0;
  std::memcpy(&before, at, size);
  put(at, size, apply(what, before, operand));
  return before;
}

bool compare_exchange_now(void* at, unsigned size, uint64_t& expected, uint64_t desired) {
  uint64_t before = 0;
  std::memcpy(&before, at, size);
  const bool same = before == expected;
  if (same) put(at, size, desired);
  expected = before;
  return same;
}

namespace {

// Values older than that are not offered: bugs show with the one or two before the newest.
constexpr unsigned kOldest = 3;

}  // namespace

// Which message a load sees; 0 in the list of choices is the newest.
unsigned Engine::read_index(unsigned location, bool seq_cst) {
  const unsigned newest = memory_.newest(location);
  const unsigned oldest = memory_.oldest(current_, location, seq_cst);
  if (used_.stale >= bounds_.stale || newest <= oldest) return newest;
  const unsigned n = std::min(newest - oldest, kOldest) + 1;
  int suggested = -1;
  if (decisions_.mode() == Decisions::Mode::Random && decisions_.rng().below(3) != 0) suggested = 0;
  const unsigned age = decide(Kind::Value, n, suggested);
  if (age != 0) ++used_.stale;
  return newest - age;
}

void Engine::atomic_touch(const void* at, unsigned size, const Place& place) {
  const std::string wrong =
      shadow_.touch(at, size, Touch::Atomic, current_, memory_.clocks(current_), place);
  if (!wrong.empty()) fail(wrong);
}

uint64_t Engine::load(const void* at, unsigned size, std::memory_order order, Place place,
                      bool step) {
  Inside inside;
  if (step) this->step();
  atomic_touch(at, size, place);
  const unsigned location = memory_.find(at, size);
  const unsigned index =
      step ? read_index(location, order == std::memory_order_seq_cst) : memory_.newest(location);
  memory_.read(current_, location, index, order);
  const uint64_t value = memory_.value(location, index);
  looked(location, value);
  if (step)
    note("load", static_cast<int>(location), order, value, value, memory_.newest(location) - index,
         place);
  return value;
}

void Engine::store(void* at, unsigned size, uint64_t value, std::memory_order order, Place place,
                   bool step) {
  Inside inside;
  if (step) this->step();
  atomic_touch(at, size, place);
  const unsigned location = memory_.find(at, size);
  const uint64_t before = memory_.value(location, memory_.newest(location));
  memory_.write(current_, location, value, order, false);
  put(at, size, value);
  looked(location, value);
  if (value != before) changed();
  if (step) note("store", static_cast<int>(location), order, before, value, 0, place);
}

uint64_t Engine::modify(void* at, unsigned size, Rmw what, uint64_t operand,
                        std::memory_order order, Place place, bool step) {
  Inside inside;
  if (step) this->step();
  atomic_touch(at, size, place);
  const unsigned location = memory_.find(at, size);
  const unsigned newest = memory_.newest(location);
  const uint64_t before = memory_.value(location, newest);
  const uint64_t after = masked(apply(what, before, operand), size);
  memory_.read(current_, location, newest, order);
  memory_.write(current_, location, after, order, true);
  put(at, size, after);
  looked(location, after);
  if (after != before) changed();
  if (step) note(name_of(what), static_cast<int>(location), order, before, after, 0, place);
  return before;
}

bool Engine::compare_exchange(void* at, unsigned size, uint64_t& expected, uint64_t desired,
                              std::memory_order success, std::memory_order failure, bool weak,
                              Place place) {
  Inside inside;
  step();
  atomic_touch(at, size, place);
  const unsigned location = memory_.find(at, size);
  const unsigned newest = memory_.newest(location);
  uint64_t seen = memory_.value(location, newest);
  unsigned index = newest;
  bool done = seen == expected;
  // It may look at an older value and fail over that; the one it wants cannot make it fail.
  const unsigned looks_at = read_index(location, failure == std::memory_order_seq_cst);
  if (memory_.value(location, looks_at) != expected) {
    index = looks_at;
    seen = memory_.value(location, index);
    done = false;
  } else if (done && weak && used_.spurious < bounds_.spurious) {
    const bool rarely =
        decisions_.mode() == Decisions::Mode::Random && decisions_.rng().below(8) != 0;
    if (decide(Kind::Spurious, 2, rarely ? 0 : -1) == 1) {
      ++used_.spurious;
      done = false;
    }
  }
  looked(location, done ? desired : seen);
  const int where = static_cast<int>(location);
  if (!done) {
    memory_.read(current_, location, index, failure);
    note(seen == expected ? "cas spurious" : "cas failed", where, failure, seen, expected,
         newest - index, place);
    expected = seen;
    return false;
  }
  memory_.read(current_, location, newest, success);
  memory_.write(current_, location, desired, success, true);
  put(at, size, desired);
  if (desired != seen) changed();
  note("cas", where, success, seen, desired, 0, place);
  return true;
}

void Engine::fence(std::memory_order order, Place place) {
  Inside inside;
  step();
  memory_.fence(current_, order);
  note("fence", -1, order, 0, 0, 0, place);
}

void Engine::constructed(const void* at) {
  Inside inside;
  memory_.forget(at);
}

void Engine::touch(const void* at, size_t size, bool write, Place place) {
  Inside inside;
  const std::string wrong = shadow_.touch(at, size, write ? Touch::Write : Touch::Read, current_,
                                          memory_.clocks(current_), place);
  if (!wrong.empty()) fail(wrong);
}

void* Engine::allocate(size_t bytes, size_t align, const void* code) {
  Inside inside;
  void* memory = shadow_.allocate(bytes, align, code);
  if (memory == nullptr) fail("the execution allocates more than the explorer has room for");
  return memory;
}

bool Engine::release(void* at, const void* code) {
  if (!Shadow::in_arena(at)) return false;
  if (!watching()) return true;  // of an execution that is over, or given up
  Inside inside;
  Engine& e = get();
  const std::string wrong =
      e.shadow_.release(at, e.current_, e.memory_.clocks(e.current_), {.code = code});
  if (!wrong.empty()) e.fail(wrong);
  return true;
}

// --- The trace ----------------------------------------------------------------------------------

void Engine::note(const char* what, int location, std::memory_order order, uint64_t before,
                  uint64_t after, unsigned age, const Place& place) {
  trace_.push_back({static_cast<uint8_t>(current_), what, location, order, before, after,
                    static_cast<uint16_t>(age), place});
}

std::string Engine::interleaving() const {
  std::string text;
  char line[256];
  for (size_t i = 0; i < trace_.size(); ++i) {
    const Event& e = trace_[i];
    const std::string place =
        e.place.file != nullptr || e.place.code != nullptr ? describe(e.place) : "";
    int used = std::snprintf(line, sizeof line, "  %4zu  %-10s %-26s %-12s", i,
                             threads_[e.thread].name, place.c_str(), e.what);
    text.append(line, static_cast<size_t>(std::min<int>(used, sizeof line - 1)));
    line[0] = 0;
    if (e.location >= 0 && e.before == e.after)
      std::snprintf(line, sizeof line, " @%-3d %-8s %#" PRIx64, e.location, name_of(e.order),
                    e.before);
    else if (e.location >= 0)
      std::snprintf(line, sizeof line, " @%-3d %-8s %#" PRIx64 " -> %#" PRIx64, e.location,
                    name_of(e.order), e.before, e.after);
    else if (e.after != 0)
      std::snprintf(line, sizeof line, " %" PRIu64 " of %" PRIu64, e.before, e.after);
    text += line;
    if (e.age != 0) text += " (" + std::to_string(e.age) + " older than the newest)";
    text += '\n';
  }
  return text;
}

}  // namespace zokio::model

// SPDX-License-Identifier: Apache-2.0
#pragma once

// What atomic locations hold in one execution: every value each of them had, in the order of the
// stores, and for every thread which of them it must not see any more.
//
// A view maps each location to the oldest message that may still be read. It grows by what a thread
// reads and writes itself, and by the views that come with messages read with acquire. A seq_cst
// fence exchanges views with all such fences; a seq_cst access does so for its own location.
// Clocks do the same for "happens before", on which the detection of races rests (shadow.h): the
// two differ, because fences make things visible without ordering plain accesses.

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace zokio::model {

inline constexpr unsigned kThreads = 5;  // 0 is the one that sets up and checks
inline constexpr unsigned kLocations = 1024;

struct Clocks {
  std::array<uint32_t, kThreads> at{};
  void join(const Clocks& other) noexcept {
    for (unsigned i = 0; i < kThreads; ++i)
      if (other.at[i] > at[i]) at[i] = other.at[i];
  }
};

struct View {
  std::vector<uint16_t> at;  // shorter than the number of locations: the rest is 0

  uint16_t of(unsigned location) const noexcept {
    return location < at.size() ? at[location] : uint16_t{0};
  }
  void raise(unsigned location, unsigned index) {
    if (location >= at.size()) at.resize(location + 1);
    if (at[location] < index) at[location] = static_cast<uint16_t>(index);
  }
  void join(const View& other) {
    if (other.at.size() > at.size()) at.resize(other.at.size());
    for (unsigned i = 0; i < other.at.size(); ++i)
      if (other.at[i] > at[i]) at[i] = other.at[i];
  }
};

// A value of a location, and what reading it with acquire brings along.
struct Message {
  uint64_t value = 0;
  Clocks clocks;
  View view;
};

class Memory {
 public:
  void reset();

  // The location at this address; begins one with the value that is there.
  unsigned find(const void* at, unsigned size);
  // Another object begins at this address.
  void forget(const void* at);

  unsigned newest(unsigned location) const { return locations_[location].count - 1; }
  // The oldest message that `thread` may read.
  unsigned oldest(unsigned thread, unsigned location, bool seq_cst) const;
  uint64_t value(unsigned location, unsigned index) const {
    return locations_[location].messages[index].value;
  }

  // Reads a message, or appends one. `continues`: a read-modify-write of the newest.
  void read(unsigned thread, unsigned location, unsigned index, std::memory_order order);
  void write(unsigned thread, unsigned location, uint64_t value, std::memory_order order,
             bool continues);
  void fence(unsigned thread, std::memory_order order);

  // From now on `thread` reads the newest of this location.
  void refresh(unsigned thread, unsigned location) {
    threads_[thread].view.raise(location, newest(location));
  }
  // What `from` did happens before what `to` does next.
  void edge(unsigned from, unsigned to);
  // The same by way of a message that is kept.
  void pack(unsigned from, Message& message);
  void unpack(unsigned to, const Message& message);

  uint32_t tick(unsigned thread) { return ++threads_[thread].clocks.at[thread]; }
  const Clocks& clocks(unsigned thread) const { return threads_[thread].clocks; }

 private:
  struct Location {
    std::vector<Message> messages;  // kept for the next execution: only `count` are of this one
    unsigned count = 0;
  };
  struct Thread {
    Clocks clocks, to_acquire, released;  // now; what a fence would acquire; what a fence released
    View view, to_acquire_view, released_view;
  };
  Message& append(Location& location);

  // Locations by address: open addressing; an entry of another generation is free.
  struct Entry {
    const void* at = nullptr;
    unsigned generation = 0;
    unsigned location = 0;
  };
  Entry& entry(const void* at);
  std::vector<Entry> index_ = std::vector<Entry>(4 * kLocations);
  unsigned generation_ = 0;
  std::vector<Location> locations_;
  unsigned count_ = 0;
  std::array<Thread, kThreads> threads_;
  View seq_cst_;
};

}  // namespace zokio::model

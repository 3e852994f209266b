// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <cstring>

#include "model/explorer.h"

namespace zokio::model {
namespace {

bool acquires(std::memory_order order) {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

constexpr unsigned kForgotten = ~0u;

}  // namespace

void Memory::reset() {
  ++generation_;
  count_ = 0;
  seq_cst_.at.clear();
  for (Thread& thread : threads_) {
    thread.clocks = thread.to_acquire = thread.released = {};
    thread.view.at.clear();
    thread.to_acquire_view.at.clear();
    thread.released_view.at.clear();
  }
}

Memory::Entry& Memory::entry(const void* at) {
  size_t i = (reinterpret_cast<uintptr_t>(at) * 0x9e3779b97f4a7c15) >> 40;
  for (;; ++i) {
    Entry& found = index_[i % index_.size()];
    if (found.generation != generation_ || found.at == at) return found;
  }
}

Message& Memory::append(Location& location) {
  if (location.count == location.messages.size()) location.messages.emplace_back();
  Message& message = location.messages[location.count++];
  message.clocks = {};
  message.view.at.clear();
  return message;
}

unsigned Memory::find(const void* at, unsigned size) {
  Entry& known = entry(at);
  if (known.generation == generation_ && known.location != kForgotten) return known.location;
  if (count_ == kLocations) fail("more locations than the explorer has room for");
  known = {at, generation_, count_};
  if (count_ == locations_.size()) locations_.emplace_back();
  Location& location = locations_[count_];
  location.count = 0;
  std::memcpy(&append(location).value, at, size);
  return count_++;
}

void Memory::forget(const void* at) {
  Entry& known = entry(at);
  if (known.generation == generation_) known.location = kForgotten;
}

unsigned Memory::oldest(unsigned thread, unsigned location, bool seq_cst) const {
  const unsigned own = threads_[thread].view.of(location);
  const unsigned all = seq_cst ? seq_cst_.of(location) : 0;
  return own > all ? own : all;
}

void Memory::read(unsigned thread, unsigned location, unsigned index, std::memory_order order) {
  Thread& t = threads_[thread];
  const Message& message = locations_[location].messages[index];
  t.view.raise(location, index);
  if (acquires(order)) {
    t.clocks.join(message.clocks);
    t.view.join(message.view);
  } else {
    t.to_acquire.join(message.clocks);
    t.to_acquire_view.join(message.view);
  }
  if (order == std::memory_order_seq_cst) seq_cst_.raise(location, index);
}

void Memory::write(unsigned thread, unsigned location, uint64_t value, std::memory_order order,
                   bool continues) {
  Thread& t = threads_[thread];
  Location& l = locations_[location];
  Message& message = append(l);
  const unsigned index = l.count - 1;
  message.value = value;
  t.view.raise(location, index);
  message.clocks = releases(order) ? t.clocks : t.released;
  message.view = releases(order) ? t.view : t.released_view;
  if (continues) {  // a release sequence
    message.clocks.join(l.messages[index - 1].clocks);
    message.view.join(l.messages[index - 1].view);
  }
  if (order == std::memory_order_seq_cst) seq_cst_.raise(location, index);
  tick(thread);  // what follows is not part of what was published
}

void Memory::fence(unsigned thread, std::memory_order order) {
  Thread& t = threads_[thread];
  if (acquires(order)) {
    t.clocks.join(t.to_acquire);
    t.view.join(t.to_acquire_view);
  }
  if (order == std::memory_order_seq_cst) {
    t.view.join(seq_cst_);
    seq_cst_.join(t.view);
  }
  if (releases(order)) {
    t.released = t.clocks;
    t.released_view = t.view;
    tick(thread);
  }
}

void Memory::edge(unsigned from, unsigned to) {
  threads_[to].clocks.join(threads_[from].clocks);
  threads_[to].view.join(threads_[from].view);
}

void Memory::pack(unsigned from, Message& message) {
  message.clocks = threads_[from].clocks;
  message.view = threads_[from].view;
  tick(from);
}

void Memory::unpack(unsigned to, const Message& message) {
  threads_[to].clocks.join(message.clocks);
  threads_[to].view.join(message.view);
}

}  // namespace zokio::model

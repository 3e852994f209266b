// SPDX-License-Identifier: Apache-2.0
#include "shadow.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace zokio::model {
namespace {

template <class T>
T* zeros(size_t count) {
  void* memory = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("model: mmap");
    std::abort();
  }
  return static_cast<T*>(memory);
}

const char* word_of(Touch how) {
  switch (how) {
    case Touch::Read:
      return "read";
    case Touch::Write:
      return "write";
    case Touch::Atomic:
      return "atomic access";
    case Touch::Free:
      return "free";
  }
  return "";
}

// The line behind an address of this program, or the address when no tool can tell.
std::string look_up(const void* code) {
  unsigned long start = 0;
  if (FILE* maps = std::fopen("/proc/self/maps", "r")) {
    if (std::fscanf(maps, "%lx", &start) != 1) start = 0;
    std::fclose(maps);
  }
  const unsigned long offset = reinterpret_cast<unsigned long>(code) - start - 1;
  char self[200] = {};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return "?";
  char text[600];
  std::snprintf(text, sizeof text,
                "{ llvm-symbolizer-19 --obj='%s' -s -f=none 0x%lx || addr2line -s -e '%s' 0x%lx; } "
                "2>/dev/null",
                self, offset, self, offset);
  std::string line;
  if (FILE* out = popen(text, "r")) {
    if (std::fgets(text, sizeof text, out) != nullptr) line = text;
    pclose(out);
  }
  line = line.substr(0, line.find('\n'));
  if (!line.empty() && line[0] != '?') return line;
  std::snprintf(text, sizeof text, "+0x%lx", offset);
  return text;
}

}  // namespace

Shadow::Shadow() : cells_(zeros<Cell>(kRegion / kGranule)), outside_(zeros<Cell>(kOutside)) {
  region_ = zeros<std::byte>(kRegion);
}

void Shadow::reset() {
  ++generation_;
  top_ = region_ + kThreads * kStackBytes;
  blocks_ = nullptr;
}

Shadow::Cell* Shadow::cell(uintptr_t granule) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(region_) / kGranule;
  if (granule >= first && granule < first + kRegion / kGranule) {
    Cell& own = cells_[granule - first];
    if (own.generation != generation_) {
      own.generation = generation_;
      own.writers = own.readers = own.atomics = 0;
      own.freed = false;
    }
    return &own;
  }
  size_t i = (granule * 0x9e3779b97f4a7c15) >> 40;
  for (size_t tries = 0; tries < kOutside; ++tries, ++i) {
    Cell& found = outside_[i % kOutside];
    if (found.generation == generation_ && found.granule == granule) return &found;
    if (found.generation == generation_) continue;
    found.generation = generation_;
    found.granule = granule;
    found.writers = found.readers = found.atomics = 0;
    found.freed = false;
    return &found;
  }
  return nullptr;  // full: not watched
}

// Whether all that was done to these bytes is seen by somebody whose clock is `seen`.
bool Shadow::earlier(const Access& access, size_t from, size_t to, uint32_t seen) {
  for (size_t i = from; i < to; ++i)
    if (access.clock[i] > seen) return false;
  return true;
}

std::string Shadow::touch(const void* at, size_t size, Touch how, unsigned thread,
                          const Clocks& clocks, const Place& place) {
  const bool writes = how == Touch::Write || how == Touch::Free;
  auto address = reinterpret_cast<uintptr_t>(at);
  const uintptr_t end = address + size;
  while (address < end) {
    const size_t from = address % kGranule;
    const size_t to = end - address < kGranule - from ? from + (end - address) : kGranule;
    address += to - from;
    Cell* c = cell((address - 1) / kGranule);
    if (c == nullptr) continue;
    if (c->freed)
      return std::string(word_of(how)) + " of freed memory at " + describe(place) +
             "; it was freed at " + describe(c->write[0].place);
    for (unsigned other = 0; other < kThreads; ++other) {
      if (other == thread) continue;
      const bool wrote =
          (c->writers >> other & 1) != 0 && !earlier(c->write[other], from, to, clocks.at[other]);
      const bool read = writes && (c->readers >> other & 1) != 0 &&
                        !earlier(c->read[other], from, to, clocks.at[other]);
      if (wrote || read)
        return std::string("data race: ") + word_of(how) + " at " + describe(place) +
               ", not ordered with the " +
               (wrote                            ? "write"
                : (c->atomics >> other & 1) != 0 ? "atomic access"
                                                 : "read") +
               " of thread " + std::to_string(other) + " at " +
               describe((wrote ? c->write : c->read)[other].place);
    }
    if (how == Touch::Free) {
      c->freed = true;
      c->write[0].place = place;
      continue;
    }
    uint8_t& who = writes ? c->writers : c->readers;
    Access& mine = (writes ? c->write : c->read)[thread];
    if ((who >> thread & 1) == 0) {
      who = static_cast<uint8_t>(who | 1u << thread);
      mine.clock = {};
      c->atomics = static_cast<uint8_t>(c->atomics & ~(1u << thread));
    }
    if (how == Touch::Atomic) c->atomics = static_cast<uint8_t>(c->atomics | 1u << thread);
    for (size_t i = from; i < to; ++i) mine.clock[i] = static_cast<uint16_t>(clocks.at[thread]);
    mine.place = place;
  }
  return {};
}

bool Shadow::in_arena(const void* at) {
  if (region_ == nullptr) return false;
  const auto* byte = static_cast<const std::byte*>(at);
  return byte >= region_ + kThreads * kStackBytes && byte < region_ + kRegion;
}

void* Shadow::allocate(size_t bytes, size_t align, const void* code) {
  if (align < 16) align = 16;
  auto start = reinterpret_cast<uintptr_t>(top_) + sizeof(Block);
  start = (start + align - 1) & ~(align - 1);
  auto* at = reinterpret_cast<std::byte*>(start);
  if (at + bytes > region_ + kRegion) return nullptr;
  auto* block = reinterpret_cast<Block*>(at - sizeof(Block));
  *block = {bytes, blocks_, code, true};
  blocks_ = block;
  // A gap, so that the end of one is not the start of the next.
  top_ = at + (bytes + kGranule - 1) / kGranule * kGranule + kGranule;
  return at;
}

std::string Shadow::release(void* at, unsigned thread, const Clocks& clocks, const Place& place) {
  auto* block = reinterpret_cast<Block*>(static_cast<std::byte*>(at) - sizeof(Block));
  if (!block->alive) return "freed twice, the second time at " + describe(place);
  block->alive = false;
  return touch(at, block->size, Touch::Free, thread, clocks, place);
}

std::string Shadow::leaks() const {
  std::string text;
  for (const Block* block = blocks_; block != nullptr; block = block->next) {
    if (!block->alive) continue;
    text += (text.empty() ? "" : "; ") + std::to_string(block->size) + " bytes from " +
            describe({.code = block->code});
  }
  return text;
}

std::string describe(const Place& place) {
  if (place.file != nullptr) {
    const char* name = std::strrchr(place.file, '/');
    return std::string(name != nullptr ? name + 1 : place.file) + ":" + std::to_string(place.line);
  }
  // Only for a failure, so a process for each is cheap enough.
  static std::map<const void*, std::string> known;
  std::string& line = known[place.code];
  if (line.empty()) line = look_up(place.code);
  return line;
}

}  // namespace zokio::model

// SPDX-License-Identifier: Apache-2.0
//
// The file reads by hand: on io_uring with a registered file and registered buffers, and with pread
// on one thread. Which of them: the first word of ZOKIO_BENCH_BACKEND, "uring" or "pread".

#include <memory>
#include <vector>

#include "reads.h"
#include "ring.h"

namespace bench::io {
namespace {

struct alignas(4096) Block {
  char bytes[kBlock];
};

uint64_t by_ring(int fd, unsigned depth, Reads& reads) {
  RawRing ring(std::max(depth, 8u));
  const std::unique_ptr<Block[]> blocks(new Block[depth]);
  std::vector<iovec> vectors;
  for (unsigned i = 0; i < depth; ++i) vectors.push_back({&blocks[i], kBlock});
  ring.register_files_and_buffers(fd, vectors);
  uint64_t sum = 0;
  unsigned flying = 0;
  const auto begin = [&](uint64_t i) {
    const auto block = reads.next();
    if (!block) return;
    io_uring_sqe* sqe = ring.entry();
    io_uring_prep_read_fixed(sqe, 0, &blocks[i], kBlock, *block * kBlock, static_cast<int>(i));
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = i;
    ++flying;
  };
  for (unsigned i = 0; i < depth; ++i) begin(i);
  while (flying > 0) {
    ring.turn([&](const io_uring_cqe& cqe) {
      --flying;
      if (cqe.res != static_cast<int>(kBlock)) die("short read");
      sum += number_in(&blocks[cqe.user_data]);
      begin(cqe.user_data);
    });
  }
  return sum;
}

uint64_t by_pread(int fd, Reads& reads) {
  const auto block = std::make_unique<Block>();
  uint64_t sum = 0;
  while (const auto next = reads.next()) {
    if (pread(fd, block.get(), kBlock, static_cast<off_t>(*next * kBlock)) != ssize_t{kBlock})
      die("pread");
    sum += number_in(block.get());
  }
  return sum;
}

}  // namespace
}  // namespace bench::io

int main(int argc, char** argv) {
  using namespace bench::io;
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "list" && argc == 2) {
    std::puts("read");
    return 0;
  }
  if (what != "read" || argc != 6) return 2;
  const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
  const int fd = open(argv[2], O_RDONLY | O_CLOEXEC | (number(3) != 0 ? O_DIRECT : 0));
  if (fd < 0) die(argv[2]);
  const char* backend = std::getenv("ZOKIO_BENCH_BACKEND");
  const bool ring = backend == nullptr || std::string_view(backend) != "pread";
  return time_reads(argv[2], number(5), [&](Reads& reads) {
    return ring ? by_ring(fd, static_cast<unsigned>(number(4)), reads) : by_pread(fd, reads);
  });
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The names of one directory. The kernel has no asynchronous form: always on the blocking pool.

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/ops/transfer.h"

namespace zokio::io {

class ReadDirOp final : public Op {
 public:
  struct Entry {
    std::string name;
    unsigned char type;  // DT_REG, ...; DT_UNKNOWN where the file system does not say
  };

  // The directory `path` of `directory`; "." is the descriptor itself. Opens its own descriptor,
  // because a position of the caller's would be shared. Reads at most `limit` names.
  ReadDirOp(int directory, std::string path, bool follow, std::size_t limit) noexcept
      : Op({.kind = OpKind::ReadDir}),
        directory_(directory),
        path_(std::move(path)),
        follow_(follow),
        limit_(limit) {}

  void encode(io_uring_sqe&) noexcept override { ZOKIO_PANIC("read_dir has no form for io_uring"); }
  int64_t attempt() noexcept override {
    const int fd = openat(directory_, path_.c_str(),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow_ ? 0 : O_NOFOLLOW));
    if (fd < 0) return -errno;
    std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd), &closedir);
    if (!stream) {
      const int error = errno;
      close(fd);
      return -error;
    }
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(stream.get());
      if (entry == nullptr) return errno != 0 ? -errno : static_cast<int64_t>(entries_.size());
      const std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      if (entries_.size() == limit_) return -EOVERFLOW;
      entries_.push_back({std::string(name), entry->d_type});
    }
  }

  std::vector<Entry> take() noexcept { return std::move(entries_); }

 private:
  int directory_;
  std::string path_;
  bool follow_;
  std::size_t limit_;
  std::vector<Entry> entries_;
};

}  // namespace zokio::io

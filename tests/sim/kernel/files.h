// SPDX-License-Identifier: Apache-2.0
#pragma once

// The made-up disk: a tree of files in memory. What was synced is kept apart, so that a test can
// pull the plug.

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/object.h"

namespace zokio::sim {

struct Inode {
  uint64_t number = 0;
  bool directory = false;
  unsigned mode = 0600;
  unsigned links = 1;
  std::string bytes;
  std::string durable;  // as of the last sync
  std::map<std::string, std::shared_ptr<Inode>> children;
};

class FileObject final : public Object {
 public:
  FileObject(Kernel& kernel, std::shared_ptr<Inode> inode, int flags)
      : Object(kernel), inode_(std::move(inode)), flags_(flags) {}
  uint32_t poll() override { return POLLIN | POLLOUT; }
  bool is_file() const override { return true; }
  int64_t read(char* to, std::size_t n, int64_t offset) override;
  int64_t write(const char* from, std::size_t n, int64_t offset) override;
  int64_t sync();
  int64_t truncate(int64_t length);
  int64_t allocate(int mode, int64_t offset, int64_t length);
  const std::shared_ptr<Inode>& inode() const { return inode_; }

 private:
  bool fails();

  std::shared_ptr<Inode> inode_;
  int flags_;
  int64_t position_ = 0;
};

// Calls with names. `directory`: AT_FDCWD (the root) or a descriptor. 0, a descriptor, or -errno.
int64_t open_file(Kernel& kernel, int directory, std::string_view path, uint64_t flags,
                  unsigned mode);
int64_t unlink_file(Kernel& kernel, int directory, std::string_view path, int flags);
int64_t rename_file(Kernel& kernel, int from_directory, std::string_view from, int to_directory,
                    std::string_view to, unsigned flags);
int64_t make_directory(Kernel& kernel, int directory, std::string_view path, unsigned mode);
int64_t link_file(Kernel& kernel, int from_directory, std::string_view from, int to_directory,
                  std::string_view to);
int64_t stat_file(Kernel& kernel, int directory, std::string_view path, struct statx* out);

}  // namespace zokio::sim

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A walk through a tree of directories, one name at a time, parents before their children and the
// names of a directory in order. Symbolic links are reported and not followed, so it ends. It goes
// by paths: who may rename directories under it can lead it elsewhere (File::open_beneath cannot
// be).
//
//   fs::Walk walk("/srv/data");
//   for (;;) {
//     ZOKIO_CO_TRY(auto entry, co_await walk.next());
//     if (!entry) break;
//     if (entry->error) continue;           // a directory that could not be read
//     if (entry->type == fs::FileType::Regular) use(entry->path);
//   }

#include <optional>
#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/metadata.h"
#include "zokio/task/task.h"

namespace zokio::fs {

struct WalkEntry {
  std::string path;  // the root's, then what is below it
  FileType type = FileType::Unknown;
  unsigned depth = 0;  // 1: directly in the root
  // The directory `path` could not be listed, or `path` was gone before its type was known; the
  // walk goes on beside it.
  std::optional<Error> error;
};

struct WalkOptions {
  unsigned max_depth = 1000;    // what is deeper is not entered
  bool stay_on_device = false;  // do not enter other file systems
};

class Walk {
 public:
  explicit Walk(std::string root, WalkOptions options = {})
      : root_(std::move(root)), options_(options) {}

  // The next name; nullopt at the end. Errors: the root cannot be listed; Cancelled (the next call
  // goes on).
  Task<Result<std::optional<WalkEntry>>> next();
  // Does not enter the directory that next() gave last.
  void skip_directory() noexcept { enter_.reset(); }

 private:
  struct Level {
    std::string path;
    std::vector<DirEntry> names;  // the next one last
  };

  Task<Result<void>> begin();
  Task<Result<std::optional<WalkEntry>>> descend();

  std::string root_;
  WalkOptions options_;
  bool begun_ = false;
  uint64_t device_ = 0;
  std::vector<Level> levels_;
  std::optional<std::string> enter_;  // the directory given last
};

}  // namespace zokio::fs

// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file that appears under its name only when it is whole and on the disk: written under a
// temporary name beside it, synced, renamed. Thread: one task.

#include <string>

#include "kinds/kind.h"
#include "zokio/fs/file.h"

namespace zokiod::kinds {

// Between open() and either commit() or discard(). One of them has to be called.
class PendingFile {
 public:
  // Under the roots of the policy. What an interrupted attempt of the same job left is removed.
  static zokio::Task<model::Reported<PendingFile>> open(std::string path, JobContext& context,
                                                        unsigned mode);
  zokio::fs::File& file() { return file_; }
  // Syncs the file, gives it its name, syncs the directory. AlreadyExists: it is there and
  // `overwrite` is false; the temporary file stays until discard().
  zokio::Task<model::Reported<>> commit(bool overwrite);
  // Removes the temporary file; also when the task was asked to stop.
  zokio::Task<void> discard();
  // Whether the name is taken.
  zokio::Task<bool> exists() const;

 private:
  std::string path_;  // as the client knows it
  zokio::fs::File directory_;
  std::string name_, temporary_;
  zokio::fs::File file_;
};

// The whole content at once; replaces what is there.
zokio::Task<model::Reported<>> replace_file(std::string path, std::string content,
                                            JobContext& context);

}  // namespace zokiod::kinds

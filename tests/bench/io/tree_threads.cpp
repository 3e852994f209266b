// SPDX-License-Identifier: Apache-2.0
//
// The checksum of a tree with a pool of threads and pread: one thread for each processor takes the
// next name of a list, which the first of them makes by walking the tree.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tree.h"

namespace bench::io {
namespace {

// The names still to be read. Thread: any.
class Names {
 public:
  void add(std::vector<std::string> names) {
    {
      const std::scoped_lock lock(mutex_);
      for (std::string& name : names) names_.push_back(std::move(name));
    }
    changed_.notify_all();
  }
  void end() {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }
  // Waits for one. False: there are no more.
  bool take(std::string& name) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !names_.empty(); });
    if (names_.empty()) return false;
    name = std::move(names_.front());
    names_.pop_front();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> names_;
  bool ended_ = false;
};

// A directory's names at a time, so that the pool begins early and is not told of each.
void walk(const std::string& directory, Names& names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), &closedir);
  if (!dir) die(directory.c_str());
  std::vector<std::string> files, directories;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    std::string path = directory + "/" + entry->d_name;
    if (entry->d_type == DT_DIR)
      directories.push_back(std::move(path));
    else if (entry->d_type == DT_REG)
      files.push_back(std::move(path));
  }
  names.add(std::move(files));
  for (const std::string& path : directories) walk(path, names);
}

void read_files(std::size_t root, Names& names, TreeSum& all) {
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  std::string path;
  while (names.take(path)) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) die(path.c_str());
    uint64_t sum = 0;
    for (off_t at = 0;;) {
      const ssize_t n = pread(fd, piece.get(), kPiece, at);
      if (n < 0) die(path.c_str());
      sum = zokio::simd::xxh3(
          zokio::as_bytes(std::string_view(piece.get(), static_cast<size_t>(n))), sum);
      at += n;
      if (n < static_cast<ssize_t>(kPiece)) break;
    }
    close(fd);
    all.add(std::string_view(path).substr(root), sum);
  }
}

bool read_tree(const std::string& directory, TreeSum& all) {
  Names names;
  std::vector<std::jthread> pool;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
    pool.emplace_back([&] { read_files(directory.size(), names, all); });
  walk(directory, names);
  names.end();
  return true;
}

}  // namespace
}  // namespace bench::io

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "tree") return 2;
  return bench::io::time_tree(
      [&](bench::io::TreeSum& all) { return bench::io::read_tree(argv[2], all); });
}

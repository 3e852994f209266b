// SPDX-License-Identifier: Apache-2.0
#include "kernel/files.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace zokio::sim {
namespace {

struct Place {
  std::shared_ptr<Inode> parent;  // null: not there, or an object without a name
  std::string name;
  std::shared_ptr<Inode> inode;  // null: no such file
  int error = 0;
};

std::shared_ptr<Inode> inode_of(Kernel& kernel, int fd) {
  if (fd == AT_FDCWD) return kernel.root();
  auto file = std::dynamic_pointer_cast<FileObject>(kernel.find(fd));
  return file ? file->inode() : nullptr;
}

Place look_up(Kernel& kernel, int directory, std::string_view path) {
  constexpr std::string_view kByNumber = "/proc/self/fd/";
  if (path.starts_with(kByNumber)) {
    const int fd = std::atoi(std::string(path.substr(kByNumber.size())).c_str());
    Place out{.parent = nullptr, .name = {}, .inode = inode_of(kernel, fd)};
    out.error = out.inode ? 0 : ENOENT;
    return out;
  }
  Place out;
  out.inode = path.starts_with('/') ? kernel.root() : inode_of(kernel, directory);
  if (!out.inode) return {.parent = nullptr, .name = {}, .inode = nullptr, .error = EBADF};
  while (true) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    if (path.empty()) return out;
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    if (name == ".") continue;
    if (!out.inode) return {.parent = nullptr, .name = {}, .inode = nullptr, .error = ENOENT};
    if (!out.inode->directory)
      return {.parent = nullptr, .name = {}, .inode = nullptr, .error = ENOTDIR};
    out.parent = out.inode;
    out.name = name;
    const auto child = out.parent->children.find(out.name);
    out.inode = child == out.parent->children.end() ? nullptr : child->second;
  }
}

std::shared_ptr<Inode> make_inode(Kernel& kernel, bool directory, unsigned mode) {
  auto inode = std::make_shared<Inode>();
  inode->number = kernel.new_inode();
  inode->directory = directory;
  inode->mode = mode;
  return inode;
}

}  // namespace

bool FileObject::fails() {
  return kernel_.hit(kernel_.options().disk_error_one_in, kernel_.counts().disk_errors);
}

int64_t FileObject::read(char* to, std::size_t n, int64_t offset) {
  if (inode_->directory) return -EISDIR;
  if (fails()) return -EIO;
  const auto at = static_cast<std::size_t>(offset == kNoOffset ? position_ : offset);
  const std::size_t size = inode_->bytes.size();
  n = at >= size ? 0 : std::min(n, size - at);
  if (n > 1 && kernel_.hit(kernel_.options().short_one_in, kernel_.counts().shorts))
    n = 1 + kernel_.rng().below(static_cast<uint32_t>(n - 1));
  std::memcpy(to, inode_->bytes.data() + std::min(at, size), n);
  if (offset == kNoOffset) position_ += static_cast<int64_t>(n);
  return static_cast<int64_t>(n);
}

int64_t FileObject::write(const char* from, std::size_t n, int64_t offset) {
  if ((flags_ & O_ACCMODE) == O_RDONLY) return -EBADF;
  if (fails()) return kernel_.rng().below(2) == 0 ? -EIO : -ENOSPC;
  if (n > 1 && kernel_.hit(kernel_.options().short_one_in, kernel_.counts().shorts))
    n = 1 + kernel_.rng().below(static_cast<uint32_t>(n - 1));
  std::size_t at = static_cast<std::size_t>(offset == kNoOffset ? position_ : offset);
  if ((flags_ & O_APPEND) != 0) at = inode_->bytes.size();
  if (n > 0 && inode_->bytes.size() < at + n) inode_->bytes.resize(at + n);
  if (n > 0) std::memcpy(inode_->bytes.data() + at, from, n);
  if (offset == kNoOffset) position_ = static_cast<int64_t>(at + n);
  return static_cast<int64_t>(n);
}

int64_t FileObject::sync() {
  if (fails()) return -EIO;
  inode_->durable = inode_->bytes;
  return 0;
}

int64_t FileObject::truncate(int64_t length) {
  if (fails()) return -EIO;
  inode_->bytes.resize(static_cast<std::size_t>(length));
  return 0;
}

int64_t FileObject::allocate(int mode, int64_t offset, int64_t length) {
  if (fails()) return -ENOSPC;
  std::string& bytes = inode_->bytes;
  const auto begin = static_cast<std::size_t>(offset),
             end = begin + static_cast<std::size_t>(length);
  if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) {
    for (std::size_t i = begin; i < std::min(end, bytes.size()); ++i) bytes[i] = 0;
  } else if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && bytes.size() < end) {
    bytes.resize(end);
  }
  return 0;
}

int64_t open_file(Kernel& kernel, int directory, std::string_view path, uint64_t flags,
                  unsigned mode) {
  Place place = look_up(kernel, directory, path);
  if (place.error != 0) return -place.error;
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    if (!place.inode || !place.inode->directory) return -ENOTDIR;
    place.inode = make_inode(kernel, false, mode);
  } else if (!place.inode) {
    if ((flags & O_CREAT) == 0) return -ENOENT;
    place.inode = make_inode(kernel, false, mode);
    place.parent->children[place.name] = place.inode;
  } else if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
    return -EEXIST;
  }
  const bool directory_wanted = (flags & O_DIRECTORY) != 0 && (flags & O_TMPFILE) != O_TMPFILE;
  if (directory_wanted && !place.inode->directory) return -ENOTDIR;
  if (place.inode->directory && (flags & O_ACCMODE) != O_RDONLY) return -EISDIR;
  if ((flags & O_TRUNC) != 0) place.inode->bytes.clear();
  return kernel.install(std::make_shared<FileObject>(kernel, place.inode, static_cast<int>(flags)));
}

int64_t unlink_file(Kernel& kernel, int directory, std::string_view path, int flags) {
  Place place = look_up(kernel, directory, path);
  if (place.error != 0) return -place.error;
  if (!place.inode || !place.parent) return -ENOENT;
  const bool want_directory = (flags & AT_REMOVEDIR) != 0;
  if (want_directory != place.inode->directory) return want_directory ? -ENOTDIR : -EISDIR;
  if (!place.inode->children.empty()) return -ENOTEMPTY;
  --place.inode->links;
  place.parent->children.erase(place.name);
  return 0;
}

int64_t rename_file(Kernel& kernel, int from_directory, std::string_view from, int to_directory,
                    std::string_view to, unsigned flags) {
  Place source = look_up(kernel, from_directory, from);
  Place target = look_up(kernel, to_directory, to);
  if (source.error != 0 || target.error != 0) return -std::max(source.error, target.error);
  if (!source.inode || !source.parent || !target.parent) return -ENOENT;
  if (target.inode && (flags & 1) != 0) return -EEXIST;  // RENAME_NOREPLACE
  if (target.inode == source.inode) return 0;
  if (target.inode && target.inode->directory) return -EISDIR;
  target.parent->children[target.name] = source.inode;
  source.parent->children.erase(source.name);
  return 0;
}

int64_t make_directory(Kernel& kernel, int directory, std::string_view path, unsigned mode) {
  Place place = look_up(kernel, directory, path);
  if (place.error != 0) return -place.error;
  if (place.inode) return -EEXIST;
  place.parent->children[place.name] = make_inode(kernel, true, mode);
  return 0;
}

int64_t link_file(Kernel& kernel, int from_directory, std::string_view from, int to_directory,
                  std::string_view to) {
  Place source = look_up(kernel, from_directory, from);
  Place target = look_up(kernel, to_directory, to);
  if (source.error != 0 || target.error != 0) return -std::max(source.error, target.error);
  if (!source.inode || !target.parent) return -ENOENT;
  if (target.inode) return -EEXIST;
  ++source.inode->links;
  target.parent->children[target.name] = source.inode;
  return 0;
}

int64_t stat_file(Kernel& kernel, int directory, std::string_view path, struct statx* out) {
  const Place place = look_up(kernel, directory, path);
  if (place.error != 0) return -place.error;
  if (!place.inode) return -ENOENT;
  *out = {};
  out->stx_mask = STATX_BASIC_STATS;
  out->stx_ino = place.inode->number;
  out->stx_nlink = place.inode->links;
  out->stx_size = place.inode->bytes.size();
  out->stx_blksize = 4096;
  out->stx_mode =
      static_cast<uint16_t>((place.inode->directory ? S_IFDIR : S_IFREG) | place.inode->mode);
  return 0;
}

}  // namespace zokio::sim

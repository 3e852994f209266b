// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/walk.h"

#include <algorithm>
#include <utility>

namespace zokio::fs {
namespace {

void sort_names(std::vector<DirEntry>& names) {
  std::ranges::sort(names, std::ranges::greater(), &DirEntry::name);
}

}  // namespace

Task<Result<void>> Walk::begin() {
  ZOKIO_CO_TRY(const Metadata root, co_await stat_path(root_));
  ZOKIO_CO_TRY(std::vector<DirEntry> names, co_await read_dir(root_));
  device_ = root.device;
  sort_names(names);
  levels_.push_back({.path = root_, .names = std::move(names)});
  begun_ = true;
  co_return Result<void>();
}

// Enters the directory that was given last. An entry when that cannot be.
Task<Result<std::optional<WalkEntry>>> Walk::descend() {
  const std::string path = *enter_;
  const auto depth = static_cast<unsigned>(levels_.size());
  const auto refused = [&](const Error& error) {
    enter_.reset();
    return std::optional(
        WalkEntry{.path = path, .type = FileType::Directory, .depth = depth, .error = error});
  };
  if (options_.stay_on_device) {
    auto metadata = co_await stat_path(path, false);
    if (!metadata.has_value()) {
      if (metadata.error().code == Errc::Cancelled) co_return fail(metadata.error());
      co_return refused(metadata.error());
    }
    if (metadata->device != device_) {
      enter_.reset();
      co_return std::optional<WalkEntry>();
    }
  }
  auto names = co_await read_dir(path);
  if (!names.has_value()) {
    if (names.error().code == Errc::Cancelled) co_return fail(names.error());
    co_return refused(names.error());
  }
  enter_.reset();
  sort_names(*names);
  levels_.push_back({.path = path, .names = *std::move(names)});
  co_return std::optional<WalkEntry>();
}

Task<Result<std::optional<WalkEntry>>> Walk::next() {
  if (!begun_) ZOKIO_CO_CHECKED(co_await begin());
  if (enter_.has_value()) {
    ZOKIO_CO_TRY(std::optional<WalkEntry> refused, co_await descend());
    if (refused.has_value()) co_return refused;
  }
  while (!levels_.empty() && levels_.back().names.empty()) levels_.pop_back();
  if (levels_.empty()) co_return std::optional<WalkEntry>();
  Level& level = levels_.back();
  const DirEntry& name = level.names.back();
  WalkEntry entry{.path = level.path + (level.path.ends_with('/') ? "" : "/") + name.name,
                  .type = name.type,
                  .depth = static_cast<unsigned>(levels_.size()),
                  .error = std::nullopt};
  if (entry.type == FileType::Unknown) {
    // Some file systems do not say it in the listing.
    auto metadata = co_await stat_path(entry.path, false);
    if (metadata.has_value())
      entry.type = metadata->type;
    else if (metadata.error().code == Errc::Cancelled)
      co_return fail(metadata.error());
    else
      entry.error = metadata.error();
  }
  level.names.pop_back();
  if (entry.type == FileType::Directory && entry.depth < options_.max_depth) enter_ = entry.path;
  co_return std::optional(std::move(entry));
}

}  // namespace zokio::fs

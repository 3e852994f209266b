// SPDX-License-Identifier: Apache-2.0
#pragma once

// Paths that clients chose, under the roots that the operator allowed.
//
// A path is compared with the roots by whole components, and then never used as text again: files
// are opened relative to the root's descriptor with openat2 (RESOLVE_BENEATH, no symbolic links),
// so that nothing that happens to the tree meanwhile can lead outside. Thread: pure functions, and
// tasks.

#include <string>
#include <string_view>

#include "kinds/kind.h"
#include "zokio/fs/file.h"

namespace zokiod::kinds {

// Absolute, in its plain form (no "..", ".", "//", trailing "/"), without NUL, not too long.
void check_path(std::string_view path, std::string field, Violations& out);

// The root that holds `path`; null: none does.
const std::string* root_of(std::string_view path, const Policy& policy);
// PATH_NOT_ALLOWED, naming the path and the roots.
model::Reported<> authorize_path(std::string_view path, const Policy& policy);

// A root, and the rest of a path below it.
struct Rooted {
  zokio::fs::File root;
  std::string rest;  // relative; "." is the root itself
};
// Requires: check_path and authorize_path were content.
zokio::Task<model::Reported<Rooted>> open_root(std::string path, const Policy& policy);

// A regular file to read. A FIFO, a device or a symbolic link in its place is refused, not waited
// for.
zokio::Task<model::Reported<zokio::fs::File>> open_source(std::string path, const Policy& policy);
// The directory `path`, or that of the file `path`: what names of a manifest are relative to.
zokio::Task<model::Reported<zokio::fs::File>> open_tree_root(std::string path,
                                                             const Policy& policy);

// "a/b/c" -> "a/b" and "c"; "c" -> "." and "c".
std::pair<std::string, std::string> split_parent(const std::string& relative);

// "open /x: not found (ENOENT ...)".
std::unexpected<model::Report> path_error(zokio::Error error, std::string_view what,
                                          std::string_view path);

}  // namespace zokiod::kinds

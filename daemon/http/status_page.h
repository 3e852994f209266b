// SPDX-License-Identifier: Apache-2.0
#pragma once

// The status page's files, embedded when the program is built, so that it needs nothing beside it.
// Thread: constants.

#include <span>
#include <string_view>

namespace zokiod::http {

struct PageFile {
  const char* path;
  const char* type;
  std::string_view content;
};

std::span<const PageFile> page_files();

}  // namespace zokiod::http

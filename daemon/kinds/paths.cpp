// SPDX-License-Identifier: Apache-2.0
#include "kinds/paths.h"

#include <fmt/format.h>

#include <filesystem>

#include "model/limits.h"

namespace zokiod::kinds {

void check_path(std::string_view path, std::string field, Violations& out) {
  std::string wrong;
  if (path.empty())
    wrong = "is missing";
  else if (path.size() > model::kPathBytesMax)
    wrong = fmt::format("{} bytes, at most {}", path.size(), model::kPathBytesMax);
  else if (path.find('\0') != std::string_view::npos)
    wrong = "has a NUL byte";
  else if (path.front() != '/')
    wrong = fmt::format("\"{}\" is not an absolute path", path);
  else if (std::filesystem::path(path).lexically_normal().native() != path ||
           (path.size() > 1 && path.back() == '/'))
    wrong = fmt::format(
        "\"{}\" is not in its plain form (no \"..\", \".\", \"//\" or \"/\" at the "
        "end)",
        path);
  if (!wrong.empty()) out.push_back({std::move(field), std::move(wrong)});
}

const std::string* root_of(std::string_view path, const Policy& policy) {
  const std::string* best = nullptr;
  for (const std::string& root : policy.roots) {
    const bool inside =
        root == "/" || path == root ||
        (path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/');
    // The deepest root: with the least that lies outside of it.
    if (inside && (best == nullptr || root.size() > best->size())) best = &root;
  }
  return best;
}

model::Reported<> authorize_path(std::string_view path, const Policy& policy) {
  if (root_of(path, policy) != nullptr) return {};
  std::string roots;
  for (const std::string& root : policy.roots) roots += (roots.empty() ? "" : ", ") + root;
  model::Report report = model::make_report(
      zokio::Errc::PermissionDenied, model::reason::kPathNotAllowed,
      roots.empty() ? fmt::format("{} is not allowed: policy.roots is empty", path)
                    : fmt::format("{} is below none of policy.roots: {}", path, roots));
  report.metadata["path"] = path;
  return model::refuse(std::move(report));
}

zokio::Task<model::Reported<Rooted>> open_root(std::string path, const Policy& policy) {
  const std::string root = *root_of(path, policy);
  zokio::Result<zokio::fs::File> directory =
      co_await zokio::fs::File::open(root, {.directory = true});
  if (!directory) co_return path_error(directory.error(), "open root", root);
  Rooted out{*std::move(directory), "."};
  if (path.size() > root.size()) out.rest = path.substr(root == "/" ? 1 : root.size() + 1);
  co_return out;
}

zokio::Task<model::Reported<zokio::fs::File>> open_source(std::string path, const Policy& policy) {
  auto rooted = co_await open_root(path, policy);
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  auto file =
      co_await zokio::fs::File::open_beneath(rooted->root, rooted->rest, {.regular_only = true});
  if (!file) co_return path_error(file.error(), "open", path);
  co_return *std::move(file);
}

zokio::Task<model::Reported<zokio::fs::File>> open_tree_root(std::string path,
                                                             const Policy& policy) {
  auto rooted = co_await open_root(path, policy);
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  auto directory =
      co_await zokio::fs::File::open_beneath(rooted->root, rooted->rest, {.directory = true});
  if (!directory && directory.error().os_errno == ENOTDIR)
    directory = co_await zokio::fs::File::open_beneath(
        rooted->root, split_parent(rooted->rest).first, {.directory = true});
  if (!directory) co_return path_error(directory.error(), "open", path);
  co_return *std::move(directory);
}

std::pair<std::string, std::string> split_parent(const std::string& relative) {
  const size_t slash = relative.rfind('/');
  if (slash == std::string::npos) return {".", relative};
  return {relative.substr(0, slash), relative.substr(slash + 1)};
}

std::unexpected<model::Report> path_error(zokio::Error error, std::string_view what,
                                          std::string_view path) {
  // A socket in the place of a file: there is something, and it is no file.
  if (error.os_errno == ENXIO) error.code = zokio::Errc::FailedPrecondition;
  return model::refuse(model::make_report(error, fmt::format("{} {}", what, path)));
}

}  // namespace zokiod::kinds

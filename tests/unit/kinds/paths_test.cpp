// SPDX-License-Identifier: Apache-2.0
// Which paths are taken as they are, which roots hold them, and the list of kinds.
#include "kinds/paths.h"

#include <gtest/gtest.h>

#include "kinds/catalog.h"
#include "model/limits.h"

namespace zokiod::kinds {
namespace {

std::string complaint(std::string_view path) {
  Violations out;
  check_path(path, "spec.x", out);
  if (out.empty()) return "";
  EXPECT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].field, "spec.x");
  return out[0].description;
}

TEST(Paths, PlainFormOnly) {
  for (const char* good : {"/", "/a", "/a/b.c", "/a/..b", "/a/.hidden", "/a/b c"})
    EXPECT_EQ(complaint(good), "") << good;
  for (const char* bad : {"/a/../b", "/..", "/a/..", "/./a", "/a/.", "//a", "/a//b", "/a/"})
    EXPECT_EQ(complaint(bad), "\"" + std::string(bad) +
                                  "\" is not in its plain form (no \"..\", \".\", \"//\" or \"/\" "
                                  "at the end)");
  EXPECT_EQ(complaint(""), "is missing");
  EXPECT_EQ(complaint("a/b"), "\"a/b\" is not an absolute path");
  EXPECT_EQ(complaint(std::string_view("/a\0b", 4)), "has a NUL byte");
  EXPECT_EQ(complaint("/" + std::string(model::kPathBytesMax - 1, 'x')), "");
  EXPECT_EQ(complaint("/" + std::string(model::kPathBytesMax, 'x')), "4096 bytes, at most 4095");
}

TEST(Paths, TheDeepestRootHoldsAPath) {
  Policy policy;
  policy.roots = {"/srv", "/srv/deep/er", "/srv/deep"};
  const auto root = [&](std::string_view path) -> std::string {
    const std::string* found = root_of(path, policy);
    return found == nullptr ? "none" : *found;
  };
  EXPECT_EQ(root("/srv"), "/srv");
  EXPECT_EQ(root("/srv/x"), "/srv");
  EXPECT_EQ(root("/srv/deep/x"), "/srv/deep");
  EXPECT_EQ(root("/srv/deep/er"), "/srv/deep/er");
  EXPECT_EQ(root("/srv/deeper"), "/srv");
  EXPECT_EQ(root("/srv2"), "none");
  EXPECT_EQ(root("/sr"), "none");
  EXPECT_EQ(root("/"), "none");
  policy.roots = {"/"};
  EXPECT_EQ(root("/"), "/");
  EXPECT_EQ(root("/etc/x"), "/");
}

TEST(Paths, ARefusalNamesThePathForPrograms) {
  Policy policy;
  policy.roots = {"/one", "/two"};
  const auto refused = authorize_path("/three/x", policy);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "PATH_NOT_ALLOWED");
  EXPECT_EQ(refused.error().message, "/three/x is below none of policy.roots: /one, /two");
  EXPECT_EQ(refused.error().metadata.at("path"), "/three/x");
}

TEST(Paths, ParentAndName) {
  EXPECT_EQ(split_parent("a/b/c"), std::pair(std::string("a/b"), std::string("c")));
  EXPECT_EQ(split_parent("c"), std::pair(std::string("."), std::string("c")));
}

TEST(Catalog, SortedAndComplete) {
  std::string before;
  for (const KindInfo* kind : catalog()) {
    EXPECT_LT(before, kind->name);
    before = kind->name;
    EXPECT_EQ(find_kind(kind->name), kind);
    EXPECT_FALSE(kind->summary.empty());
  }
  EXPECT_EQ(catalog().size(), std::variant_size_v<model::Work>);
  EXPECT_EQ(find_kind("exe"), nullptr);
  EXPECT_EQ(find_kind(""), nullptr);
}

}  // namespace
}  // namespace zokiod::kinds

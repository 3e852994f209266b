// SPDX-License-Identifier: Apache-2.0
// What each kind refuses before anything is stored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kinds/kind.h"
#include "kinds/paths.h"

namespace zokiod::kinds {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> wrong_fields(model::Work work) {
  model::JobSpec spec;
  spec.work = std::move(work);
  Violations violations;
  find_kind(spec.kind())->validate(spec, violations);
  std::vector<std::string> out;
  for (const auto& v : violations) out.push_back(v.field);
  return out;
}

TEST(Catalog, EveryAlternativeOfWorkHasItsKindAndNamesAreSorted) {
  EXPECT_EQ(catalog().size(), std::variant_size_v<model::Work>);
  std::string_view before;
  for (const KindInfo* kind : catalog()) {
    EXPECT_LT(before, kind->name);
    EXPECT_FALSE(kind->summary.empty());
    before = kind->name;
  }
  EXPECT_EQ(find_kind("no.such"), nullptr);
  EXPECT_NE(find_kind(model::FileCopySpec::kKind), nullptr);
}

TEST(Validate, Exec) {
  using model::ExecSpec;
  EXPECT_THAT(wrong_fields(ExecSpec{{"true"}, "", {}, {}}), IsEmpty());
  EXPECT_THAT(wrong_fields(ExecSpec{}), ElementsAre("spec.exec.argv"));
  EXPECT_THAT(wrong_fields(ExecSpec{{std::string("a\0b", 3)}, "rel", {{"", "x"}}, {}}),
              ElementsAre("spec.exec.argv[0]", "spec.exec.cwd", "spec.exec.env"));
  EXPECT_THAT(wrong_fields(ExecSpec{std::vector<std::string>(300, "x"), "", {}, {}}),
              ElementsAre("spec.exec.argv"));
  EXPECT_THAT(wrong_fields(ExecSpec{{"x"}, "", {}, std::chrono::hours(1)}),
              ElementsAre("spec.exec.grace"));
}

TEST(Validate, Paths) {
  using model::FileChecksumSpec;
  for (const char* bad : {"", "rel", "/a/../b", "/a/./b", "/a//b", "/a/", "/..", "/a/.."})
    EXPECT_THAT(wrong_fields(FileChecksumSpec{bad, ""}), ElementsAre("spec.file_checksum.path"))
        << bad;
  EXPECT_THAT(wrong_fields(FileChecksumSpec{std::string("/a\0b", 4), "x"}),
              ElementsAre("spec.file_checksum.path", "spec.file_checksum.manifest_path"));
  EXPECT_THAT(wrong_fields(FileChecksumSpec{"/" + std::string(5000, 'x'), ""}),
              ElementsAre("spec.file_checksum.path"));
  EXPECT_THAT(wrong_fields(model::FileCopySpec{"a", "b", false}),
              ElementsAre("spec.file_copy.source", "spec.file_copy.destination"));
  for (const char* good : {"/", "/a", "/a/b c/..x", "/a/...", "/ü"})
    EXPECT_THAT(wrong_fields(FileChecksumSpec{good, ""}), IsEmpty()) << good;
}

TEST(Validate, SyntheticSizes) {
  EXPECT_THAT(wrong_fields(model::SyntheticSpawnSpec{0, 1ull << 60, 1u << 30, 1u << 30}),
              ElementsAre("spec.synthetic_spawn.tasks", "spec.synthetic_spawn.fanout",
                          "spec.synthetic_spawn.work"));
  EXPECT_THAT(
      wrong_fields(model::SyntheticAllocSpec{0, 1ull << 60, 1u << 30, 1u << 30, 1ull << 60}),
      testing::SizeIs(4));
  EXPECT_THAT(wrong_fields(model::SyntheticFileSpec{0, 1ull << 60, 1, false}), testing::SizeIs(2));
  EXPECT_THAT(wrong_fields(model::SyntheticFileSpec{}), IsEmpty());
}

TEST(Roots, WholeComponentsOnly) {
  Policy policy;
  policy.roots = {"/data", "/data/deep", "/srv/x"};
  EXPECT_EQ(*root_of("/data", policy), "/data");
  EXPECT_EQ(*root_of("/data/a", policy), "/data");
  EXPECT_EQ(*root_of("/data/deep/a", policy), "/data/deep");
  EXPECT_EQ(root_of("/database", policy), nullptr);
  EXPECT_EQ(root_of("/srv", policy), nullptr);
  EXPECT_EQ(root_of("/", policy), nullptr);
  EXPECT_FALSE(authorize_path("/etc/passwd", policy));
  EXPECT_EQ(authorize_path("/etc/passwd", policy).error().reason, "PATH_NOT_ALLOWED");
  EXPECT_FALSE(authorize_path("/data", Policy{}));
  policy.roots = {"/"};
  EXPECT_TRUE(authorize_path("/etc/passwd", policy));
}

TEST(Roots, ExecNeedsThePolicy) {
  model::JobSpec spec;
  spec.work = model::ExecSpec{{"true"}, "", {}, {}};
  const KindInfo* exec = find_kind("exec");
  EXPECT_FALSE(exec->allowed(Policy{}));
  EXPECT_EQ(exec->authorize(spec, Policy{}).error().reason, "KIND_NOT_ALLOWED");
  Policy on;
  on.exec_enabled = true;
  EXPECT_TRUE(exec->authorize(spec, on));
}

TEST(Split, ParentAndName) {
  EXPECT_EQ(split_parent("a/b/c"), (std::pair<std::string, std::string>("a/b", "c")));
  EXPECT_EQ(split_parent("c"), (std::pair<std::string, std::string>(".", "c")));
}

}  // namespace
}  // namespace zokiod::kinds

// SPDX-License-Identifier: Apache-2.0
// plugin: the examples run; only what the configuration names is loaded, and only those bytes.
#include <fmt/format.h>

#include "kind_fixture.h"
#include "kinds/digest.h"
#include "kinds/plugin_library.h"

namespace zokiod::kinds {
namespace {

using model::PluginResult;
using model::PluginSpec;
using testing::HasSubstr;

class PluginTest : public KindTest {
 protected:
  void SetUp() override {
    // Libraries stay, and so do the descriptors of their copies: before the fixture counts them.
    for (const std::string& text : policy().plugins)
      ASSERT_OK(load_plugin(*model::parse_plugin_rule(text)));
    KindTest::SetUp();
  }
  static std::string sha256_of(const std::string& content) {
    Digest digest;
    digest.update(content);
    return digest.sha256();
  }
  static std::string rule(const std::string& name, const std::string& path) {
    return fmt::format("{} {} {}", name, sha256_of(read(path)), path);
  }
  Policy policy() const {
    Policy out = KindTest::policy();
    out.plugins = {rule("sum", SUM_PLUGIN), rule("primes", PRIMES_PLUGIN)};
    return out;
  }
  model::Reported<Finished> run_with(const Policy& policy, PluginSpec spec) {
    FakeContext context(*runtime_, policy, std::move(spec));
    return run(context);
  }
};

TEST_P(PluginTest, TheExamplesCompute) {
  FakeContext context(*runtime_, policy(), PluginSpec{"sum", {{"count", "100000"}}});
  const auto sum = run(context);
  ASSERT_OK(sum);
  EXPECT_EQ(std::get<PluginResult>(sum->result), (PluginResult{"sum", "1.0", "4999950000"}));
  EXPECT_EQ(context.most_done, 100'000u);
  EXPECT_EQ(context.log(), "done\n");
  const auto primes = run_with(policy(), PluginSpec{"primes", {{"below", "10000"}}});
  ASSERT_OK(primes);
  EXPECT_EQ(std::get<PluginResult>(primes->result), (PluginResult{"primes", "1.0", "1229"}));
}

TEST_P(PluginTest, FailuresHaveTheWordsOfThePlugin) {
  const auto done = run_with(policy(), PluginSpec{"sum", {}});
  ASSERT_OK(done);
  EXPECT_EQ(done->error.reason, "BAD_ARGUMENT");
  EXPECT_EQ(done->error.message, "count: want a number above 0");
}

TEST_P(PluginTest, Cancelled) {
  for (const PluginSpec& spec : {PluginSpec{"sum", {{"count", "1000000000000000"}}},
                                 PluginSpec{"primes", {{"below", "1000000000000"}}}}) {
    FakeContext context(*runtime_, policy(), spec);
    const bool says = spec.name == "sum";
    const auto done = run_and_cancel(context, [&] { return !says || context.most_done > 0; });
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error.code, Errc::Cancelled);
  }
}

TEST_P(PluginTest, OnlyTheBytesOfTheConfigurationAreLoaded) {
  const std::string path = in_root("own.so");
  std::filesystem::copy_file(SUM_PLUGIN, path);
  // Bytes of its own, so that it was not loaded before.
  std::ofstream(path, std::ios::app) << "tail " << root();
  Policy policy = KindTest::policy();
  policy.plugins = {rule("own", path)};
  const std::string wanted = sha256_of(read(path));
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_REPORT(run_with(policy, PluginSpec{"own", {}}), Errc::PermissionDenied, "PLUGIN_DIGEST",
                fmt::format("{} has SHA-256 {}, policy.plugins allows {}", path,
                            sha256_of(read(path)), wanted));
  // A link is not followed, a file that is no library is named.
  std::filesystem::create_symlink(SUM_PLUGIN, in_root("link.so"));
  EXPECT_FALSE(load_plugin({"p", std::string(64, '0'), in_root("link.so")}).has_value());
  write(in_root("text.so"), "no library");
  const auto text = load_plugin({"p", sha256_of("no library"), in_root("text.so")});
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().reason, "PLUGIN_UNUSABLE");
  EXPECT_THAT(text.error().message, HasSubstr(in_root("text.so") + ": "));
}

TEST_P(PluginTest, RefusedBeforeItRuns) {
  using V = Violations;
  EXPECT_EQ(violations(PluginSpec{"", {}}), (V{{"spec.plugin.name", "is missing"}}));
  EXPECT_EQ(violations(PluginSpec{"../x", {{"", "a"}}}),
            (V{{"spec.plugin.name", "is not 1 to 63 of a-z, 0-9, \"-\", \"_\" and \".\""},
               {"spec.plugin.arguments",
                "a name is empty, or has a NUL byte, or a value is above 65536 bytes"}}));
  EXPECT_REPORT(authorized(PluginSpec{"other", {}}, policy()), Errc::PermissionDenied,
                "KIND_NOT_ALLOWED", "plugin \"other\" is not in policy.plugins");
  EXPECT_TRUE(authorized(PluginSpec{"sum", {}}, policy()).has_value());
  EXPECT_FALSE(find_kind("plugin")->allowed(KindTest::policy()));
}

TEST(PluginRule, Lines) {
  const std::string digest(64, 'a');
  EXPECT_TRUE(model::parse_plugin_rule("a-b.1 " + digest + " /with a space.so"));
  for (const std::string& bad :
       {std::string(), std::string("a"), "a " + digest, "a " + digest + " relative.so",
        "A " + digest + " /p.so", "a " + std::string(63, 'a') + " /p.so",
        "a " + std::string(64, 'g') + " /p.so", " " + digest + " /p.so"})
    EXPECT_FALSE(model::parse_plugin_rule(bad)) << bad;
}

KIND_MATRIX(PluginTest);

}  // namespace
}  // namespace zokiod::kinds

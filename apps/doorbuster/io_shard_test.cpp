#include "apps/doorbuster/io_shard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "apps/doorbuster/embedded_stack.hpp"

namespace doorbuster {
namespace {

using testing::HasSubstr;

/// A folder for the files of a process that is to come, removed at the end.
class Folder {
 public:
  Folder() {
    auto pattern = testing::TempDir() + "io-shard-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(IoShard, AScrapeThatMeetsAClosedShardFindsItWhole) {
  const Folder folder;
  config::Settings::Sources sources;
  sources.flags["api.data"] = folder.path();
  const auto settings = config::Settings::load("api", sources);
  ASSERT_TRUE(settings);
  SystemClock clock;
  auto stack = EmbeddedStack::open(*settings, clock);
  ASSERT_TRUE(stack) << stack.error().detail;
  obs::Registry metrics;
  IoShard first("io-0");
  IoShard second("io-1");
  IoShard::Options options;
  for (auto* shard : {&first, &second}) {
    options.name = shard == &first ? "io-0" : "io-1";
    ASSERT_TRUE(shard->build(**stack, clock, metrics, options));
    ASSERT_TRUE(shard->listen());
  }
  metrics.add([&](obs::MetricsWriter& out) { (*stack)->write_metrics(out); });

  // As when the process stops: one shard is closed, and a request at the other asks all of them.
  (*stack)->stop();
  first.close();
  std::promise<std::string> scraped;
  second.shard().post(
      [&] { metrics.write(second.shard(), [&](obs::MetricsWriter out) { scraped.set_value(out.text()); }); });
  const auto text = scraped.get_future().get();
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_batch_requests_count{shard=\"io-0\"} 0"));
  EXPECT_THAT(text, HasSubstr("doorbuster_issue_batch_requests_count{shard=\"io-1\"} 0"));
  EXPECT_THAT(text, HasSubstr("doorbuster_lookups_waiting 0"));

  second.close();
  for (auto* shard : {&first, &second}) shard->shard().stop();
  for (auto* shard : {&first, &second}) shard->destroy();
}

}  // namespace
}  // namespace doorbuster

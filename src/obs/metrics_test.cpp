#include "obs/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "obs/counter.hpp"
#include "tests/support/manual_executor.hpp"

namespace doorbuster::obs {
namespace {

using testing::HasSubstr;

TEST(MetricsWriter, PutsSamplesOfOneNameTogetherUnderOneHelpAndType) {
  MetricsWriter out;
  out.counter("a_total", "How many a", 1, {{"kind", "x"}});
  out.gauge("b", "How much b", 0.5);
  out.counter("a_total", "How many a", 2, {{"kind", "y"}, {"other", "z"}});
  EXPECT_EQ(out.text(),
            "# HELP a_total How many a\n# TYPE a_total counter\n"
            "a_total{kind=\"x\"} 1\na_total{kind=\"y\",other=\"z\"} 2\n"
            "# HELP b How much b\n# TYPE b gauge\nb 0.5\n");
}

TEST(MetricsWriter, EscapesLabelsAndHelp) {
  MetricsWriter out;
  out.gauge("a", "back\\slash\nand \"quotes\"", 1, {{"l", "a\"b\\c\nd"}});
  EXPECT_EQ(out.text(),
            "# HELP a back\\\\slash\\nand \"quotes\"\n# TYPE a gauge\na{l=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(MetricsWriter, WritesAHistogramAsCumulativeBucketsInSeconds) {
  Histogram histogram;
  histogram.record(Duration(90));
  histogram.record(Duration(900));
  histogram.record(Duration(20'000'000));
  MetricsWriter out;
  out.histogram("t_seconds", "Time", histogram, {{"who", "me"}});
  const auto text = out.text();
  EXPECT_THAT(text, HasSubstr("# TYPE t_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{who=\"me\",le=\"1e-04\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{who=\"me\",le=\"0.001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{who=\"me\",le=\"10\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_bucket{who=\"me\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_sum{who=\"me\"} 20.00099\n"));
  EXPECT_THAT(text, HasSubstr("t_seconds_count{who=\"me\"} 3\n"));
}

TEST(MetricsWriter, WritesSizesAsCumulativeBuckets) {
  SizeHistogram sizes;
  sizes.record(1);
  sizes.record(200);
  MetricsWriter out;
  out.histogram("batch", "Requests in a batch", sizes, {{"shard", "io-0"}});
  const auto text = out.text();
  EXPECT_THAT(text, HasSubstr("# TYPE batch histogram\n"));
  EXPECT_THAT(text, HasSubstr("batch_bucket{shard=\"io-0\",le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("batch_bucket{shard=\"io-0\",le=\"128\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("batch_bucket{shard=\"io-0\",le=\"256\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("batch_bucket{shard=\"io-0\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("batch_sum{shard=\"io-0\"} 201\n"));
  EXPECT_THAT(text, HasSubstr("batch_count{shard=\"io-0\"} 2\n"));
}

TEST(Registry, AsksThoseAtHomeWithinTheCall) {
  test::ManualExecutor home;
  Counter counter;
  Registry registry;
  registry.add([&](MetricsWriter& out) { out.counter("one_total", "One", counter.value()); });
  registry.add(home, [](MetricsWriter& out) { out.gauge("two", "Two", 2); });
  counter.add();
  counter.add(41);
  std::string text;
  registry.write(home, [&](const MetricsWriter& out) { text = out.text(); });
  EXPECT_THAT(text, HasSubstr("one_total 42\n"));
  EXPECT_THAT(text, HasSubstr("two 2\n"));
}

TEST(Registry, AsksOwnersOnTheirOwnExecutorsAndEndsAtHome) {
  test::ManualExecutor home, io_1, io_2;
  Registry registry;
  std::vector<std::string> asked;
  const auto collector = [&](const char* name) {
    return [&asked, name](MetricsWriter& out) {
      asked.push_back(name);
      out.gauge("shards", "Shards", 1, {{"shard", name}});
    };
  };
  registry.add(io_1, collector("io-1"));
  registry.add(home, collector("io-0"));
  registry.add(io_2, collector("io-2"));
  std::string text;
  registry.write(home, [&](const MetricsWriter& out) { text = out.text(); });
  EXPECT_EQ(asked, (std::vector<std::string>{"io-0"}));
  io_1.run_until_idle();
  EXPECT_EQ(asked.size(), 1u);
  io_2.run_until_idle();
  EXPECT_EQ(asked.size(), 2u);
  io_1.run_until_idle();
  EXPECT_EQ(asked, (std::vector<std::string>{"io-0", "io-2", "io-1"}));
  EXPECT_EQ(text, "");
  home.run_until_idle();
  EXPECT_THAT(text,
              HasSubstr("shards{shard=\"io-0\"} 1\nshards{shard=\"io-2\"} 1\nshards{shard=\"io-1\"} 1\n"));
}

}  // namespace
}  // namespace doorbuster::obs

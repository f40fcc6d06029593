#include "apps/doorbuster/status_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbuster {
namespace {

const std::vector<ProcessStatus> kProcesses = {
    {"registry", 101, 8761, "ready", 0, 3.2, 0.4, 9 << 20},
    {"gateway", 0, 8080, "restarting in 2 s", 12, std::nullopt, std::nullopt, std::nullopt},
    {"api-1", 103, 8081, "ready", 0, 123456.0, 87.6, std::uint64_t{20} << 30}};

TEST(StatusTable, ShowsEveryColumnWhereThereIsRoom) {
  EXPECT_THAT(render_table(kProcesses, 100),
              testing::ElementsAre("role      pid  port  state              restarts  req/s   cpu   memory",
                                   "registry  101  8761  ready                     0      3   0 %     9 MB",
                                   "gateway     -  8080  restarting in 2 s        12      -     -        -",
                                   "api-1     103  8081  ready                     0  123 k  88 %  20.0 GB"));
}

TEST(StatusTable, LeavesOutTheLessImportantInANarrowTerminal) {
  EXPECT_THAT(render_table(kProcesses, 40), testing::ElementsAre("role      port  state              req/s",
                                                                 "registry  8761  ready                  3",
                                                                 "gateway   8080  restarting in 2 s      -",
                                                                 "api-1     8081  ready              123 k"));
  EXPECT_THAT(render_table(kProcesses, 5), testing::ElementsAre("role", "regis", "gatew", "api-1"));
}

TEST(StatusTable, IsNeverWiderThanTheTerminal) {
  for (std::size_t width = 1; width < 90; ++width) {
    for (const auto& line : render_table(kProcesses, width)) EXPECT_LE(line.size(), width);
  }
}

TEST(StatusTable, KeepsNumbersShort) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(9999), "9999");
  EXPECT_EQ(short_number(12345), "12.3 k");
  EXPECT_EQ(short_number(123456), "123 k");
  EXPECT_EQ(short_number(12345678), "12.3 M");
  EXPECT_EQ(short_bytes(9 << 20), "9 MB");
}

}  // namespace
}  // namespace doorbuster

#include "services/audit/fairness.hpp"

#include <gtest/gtest.h>

namespace doorbuster::audit {
namespace {

Arrival arrival(int sent, int received, std::uint64_t sequence) {
  return {Timestamp(Duration(sent)), Timestamp(Duration(received)), sequence};
}

TEST(Fairness, NumbersInTheOrderOfSendingHaveNoInversions) {
  std::vector<Arrival> arrivals{arrival(1, 5, 1), arrival(2, 6, 2), arrival(3, 7, 3)};
  AuditReport report;
  measure_fairness(arrivals, report);
  EXPECT_TRUE(report.fairness.measured);
  EXPECT_EQ(report.fairness.inversions, 0U);
  EXPECT_EQ(report.fairness.largest_displacement, 0U);
  EXPECT_TRUE(report.good());
}

TEST(Fairness, RequestsInTheAirTogetherMayBeNumberedInAnyOrder) {
  std::vector<Arrival> arrivals{arrival(1, 10, 3), arrival(2, 10, 2), arrival(3, 10, 1)};
  AuditReport report;
  measure_fairness(arrivals, report);
  EXPECT_EQ(report.fairness.inversions, 3U);
  EXPECT_EQ(report.fairness.largest_displacement, 2U);
  EXPECT_DOUBLE_EQ(report.fairness.inverted_share, 1.0);
  EXPECT_TRUE(report.good());
}

TEST(Fairness, ALowerNumberForWhoCameAfterAnAnswerBreaksTheOrder) {
  std::vector<Arrival> arrivals{arrival(1, 2, 2), arrival(3, 4, 1)};
  AuditReport report;
  measure_fairness(arrivals, report);
  EXPECT_EQ(report.of(Promise::order).broken, 1U);
  EXPECT_EQ(report.of(Promise::order).examples.size(), 1U);
}

TEST(Fairness, CountsInversionsOfALongRowThatIsTurnedAround) {
  std::vector<Arrival> arrivals;
  for (int i = 0; i < 1001; ++i) arrivals.push_back(arrival(i, 10'000, static_cast<std::uint64_t>(2000 - i)));
  AuditReport report;
  measure_fairness(arrivals, report);
  EXPECT_EQ(report.fairness.inversions, 1001U * 1000U / 2);
  EXPECT_EQ(report.fairness.largest_displacement, 1000U);
}

TEST(Fairness, NothingToMeasureIsNoDivisionByZero) {
  std::vector<Arrival> arrivals;
  AuditReport report;
  measure_fairness(arrivals, report);
  EXPECT_EQ(report.fairness.inverted_share, 0.0);
}

}  // namespace
}  // namespace doorbuster::audit

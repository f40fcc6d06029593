#include "services/audit/audit_report.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace doorbuster::audit {
namespace {

TEST(AuditReport, KeepsTheFirstFiveExamplesAndCountsTheRest) {
  AuditReport report;
  for (int i = 0; i < 7; ++i) report.breaks(Promise::limit, "example " + std::to_string(i));
  const auto text = to_text(report);
  EXPECT_FALSE(report.good());
  EXPECT_NE(text.find("1 BROKEN never more than the limit"), std::string::npos) << text;
  EXPECT_NE(text.find("example 4"), std::string::npos);
  EXPECT_EQ(text.find("example 5"), std::string::npos);
  EXPECT_NE(text.find("and 2 more"), std::string::npos);
  EXPECT_NE(text.find("2 ok"), std::string::npos);
}

TEST(AuditReport, JsonSaysEachVerdict) {
  AuditReport report;
  report.campaign = *CampaignId::parse("c");
  report.breaks(Promise::order, "because");
  const auto json = boost::json::parse(to_json(report));
  EXPECT_EQ(json.at("good"), false);
  EXPECT_EQ(json.at("campaign_id"), "c");
  const auto& promises = json.at("promises").as_array();
  ASSERT_EQ(promises.size(), kPromises);
  EXPECT_EQ(promises[0].at("ok"), true);
  EXPECT_EQ(promises[6].at("ok"), false);
  EXPECT_EQ(promises[6].at("examples").at(0), "because");
  EXPECT_FALSE(json.as_object().contains("fairness"));
}

}  // namespace
}  // namespace doorbuster::audit

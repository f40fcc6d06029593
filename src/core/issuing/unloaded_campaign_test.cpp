#include "core/issuing/unloaded_campaign.hpp"

#include <gtest/gtest.h>

namespace doorbuster {
namespace {

CampaignDefinition over() {
  CampaignDefinition definition;
  definition.id = *CampaignId::parse("over");
  definition.name = "Over";
  definition.limit = 100;
  definition.epoch = 2;
  definition.revision = 3;
  definition.status = CampaignStatus::ended;
  return definition;
}

class UnloadedCampaignTest : public testing::Test {
 protected:
  static HolderFilter filter() {
    HolderFilter holders(50, 42);
    for (std::uint64_t user = 1; user <= 50; ++user) holders.add(UserId::from_integer(user));
    return holders;
  }
  /// Not in the filter, not even by mistake.
  UserId stranger() const {
    for (std::uint64_t user = 1000;; ++user) {
      const auto id = UserId::from_integer(user);
      if (!campaign_.may_hold(id)) return id;
    }
  }

  UnloadedCampaign campaign_{over(), 50, filter()};
};

TEST_F(UnloadedCampaignTest, EveryHolderIsSentToTheRepositoryAndTheRestHearsThatItIsOver) {
  for (std::uint64_t user = 1; user <= 50; ++user) {
    EXPECT_EQ(campaign_.decide(UserId::from_integer(user)).outcome, Outcome::unloaded);
  }
  const Decision refusal = campaign_.decide(stranger());
  EXPECT_EQ(refusal.outcome, Outcome::ended);
  EXPECT_FALSE(refusal.pending);
  EXPECT_EQ(refusal.epoch, 2U);
  EXPECT_EQ(refusal.revision, 3U);
}

TEST_F(UnloadedCampaignTest, ShowsTheFiguresThatItHad) {
  const auto view = campaign_.view();
  EXPECT_EQ(view.definition, over());
  EXPECT_EQ(view.issued, 50U);
  EXPECT_EQ(view.durable, 50U);
  EXPECT_EQ(view.state, CampaignState::ended);
  EXPECT_FALSE(view.held);
  EXPECT_TRUE(view.missing.empty());
}

TEST_F(UnloadedCampaignTest, OnlyItsNameMayChange) {
  CampaignPatch reopen;
  reopen.status = CampaignStatus::open;
  EXPECT_EQ(campaign_.begin_change(reopen).error().code, ErrorCode::conflict);
  EXPECT_FALSE(campaign_.view().held) << "a refused change holds nothing";

  CampaignPatch rename;
  rename.name = "Long over";
  const auto renamed = campaign_.begin_change(rename);
  ASSERT_TRUE(renamed.has_value());
  EXPECT_EQ(campaign_.decide(stranger()).outcome, Outcome::held);
  EXPECT_EQ(campaign_.decide(UserId::from_integer(1)).outcome, Outcome::unloaded);
  EXPECT_EQ(campaign_.begin_change(rename).error().code, ErrorCode::conflict) << "one at a time";
  campaign_.end_change(*renamed);
  EXPECT_EQ(campaign_.view().definition.name, "Long over");
  EXPECT_EQ(campaign_.view().definition.revision, 4U);
  EXPECT_EQ(campaign_.decide(stranger()).outcome, Outcome::ended);

  ASSERT_TRUE(campaign_.begin_change(rename).has_value());
  campaign_.end_change(*renamed);  // the change was not written
  EXPECT_EQ(campaign_.view().definition.revision, 4U);
  EXPECT_FALSE(campaign_.view().held);
}

}  // namespace
}  // namespace doorbuster

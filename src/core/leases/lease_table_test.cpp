#include "core/leases/lease_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/leases/test_leases.hpp"

namespace doorbuster::leases {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LeaseTable, RegistersRenewsAndCancels) {
  TestLeases leases;
  EXPECT_FALSE(leases.renew("API", "a"));
  leases.enroll(instance_of("API", "a"));
  leases.enroll(instance_of("API", "b", InstanceStatus::starting));
  EXPECT_TRUE(leases.renew("API", "a"));
  EXPECT_FALSE(leases.renew("OTHER", "a"));
  EXPECT_EQ(leases.table.hash_code(), "STARTING_1_UP_1_");
  EXPECT_TRUE(leases.table.cancel("API", "a", leases.now));
  EXPECT_FALSE(leases.table.cancel("API", "a", leases.now));
  EXPECT_FALSE(leases.renew("API", "a"));
  EXPECT_EQ(leases.table.hash_code(), "STARTING_1_");
  EXPECT_THAT(leases.events, ElementsAre("ADDED API/a UP", "ADDED API/b STARTING", "DELETED API/a UP"));
  EXPECT_THAT(leases.delta(), ElementsAre("b ADDED", "a DELETED"));
}

TEST(LeaseTable, TheHashNamesTheStatusesInOrderOfTheirNames) {
  TestLeases leases;
  EXPECT_EQ(leases.table.hash_code(), "");
  int number = 0;
  for (const auto status : {InstanceStatus::up, InstanceStatus::unknown, InstanceStatus::starting,
                            InstanceStatus::out_of_service, InstanceStatus::down, InstanceStatus::up}) {
    leases.enroll(instance_of("A", std::to_string(number++), status));
  }
  EXPECT_EQ(leases.table.hash_code(), "DOWN_1_OUT_OF_SERVICE_1_STARTING_1_UNKNOWN_1_UP_2_");
}

TEST(LeaseTable, WhoRegistersAgainIsModified) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  leases.enroll(instance_of("A", "x"));
  EXPECT_THAT(leases.delta(), ElementsAre("x MODIFIED"));
  leases.table.cancel("A", "x", leases.now);
  leases.enroll(instance_of("A", "x"));  // somebody may not have seen that it was gone
  EXPECT_THAT(leases.delta(), ElementsAre("x MODIFIED"));
  leases.table.cancel("A", "x", leases.now);
  leases.pass(200);
  leases.enroll(instance_of("A", "x"));
  EXPECT_THAT(leases.delta(), ElementsAre("x ADDED"));
}

TEST(LeaseTable, AnIdIsUniqueWithinItsAppOnly) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  leases.enroll(instance_of("B", "x"));
  EXPECT_EQ(leases.table.size(), 2U);
  EXPECT_TRUE(leases.table.override_status("A", "x", InstanceStatus::down, std::nullopt, leases.now));
  EXPECT_EQ(leases.status("B", "x"), InstanceStatus::up);
  EXPECT_EQ(leases.table.find_id("x", leases.now)->info->app, "A");
  leases.table.cancel("A", "x", leases.now);
  EXPECT_EQ(leases.table.find_id("x", leases.now)->info->app, "B");
  EXPECT_THAT(leases.delta(), ElementsAre("x ADDED", "x DELETED"));
}

TEST(LeaseTable, EveryChangeHasAVersionAndARenewalHasNone) {
  TestLeases leases;
  auto before = leases.table.version();
  const auto grew = [&] { return std::exchange(before, leases.table.version()) < leases.table.version(); };
  leases.enroll(instance_of("A", "x"));
  EXPECT_TRUE(grew());
  leases.renew("A", "x");
  EXPECT_FALSE(grew());
  // Neither the counts nor the hash change; py_eureka_client looks at the version alone then.
  ASSERT_TRUE(leases.table.add_metadata("A", "x", {{"k", "v"}}, leases.now));
  EXPECT_TRUE(grew());
  leases.table.override_status("A", "x", InstanceStatus::down, std::nullopt, leases.now);
  EXPECT_TRUE(grew());
  leases.table.drop_override("A", "x", InstanceStatus::up, std::nullopt, leases.now);
  EXPECT_TRUE(grew());
  leases.table.cancel("A", "x", leases.now);
  EXPECT_TRUE(grew());
}

TEST(LeaseTable, TheNewerCopyOfAnInstanceWins) {
  TestLeases leases;
  auto info = instance_of("A", "x");
  info.last_dirty_ms = 100;
  info.home_page_url = "newer";
  leases.enroll(info);
  info.last_dirty_ms = 99;
  info.home_page_url = "older";
  leases.enroll(info);
  EXPECT_EQ(leases.find("A", "x")->info->home_page_url, "newer");
  info.last_dirty_ms = 100;
  info.home_page_url = "as new";
  leases.enroll(info);
  EXPECT_EQ(leases.find("A", "x")->info->home_page_url, "as new");
  EXPECT_EQ(leases.table.size(), 1U);
}

TEST(LeaseTable, AnInstanceThatKnowsMoreHasToRegisterAgain) {
  TestLeases leases;
  auto info = instance_of("A", "x");
  info.last_dirty_ms = 100;
  leases.enroll(info);
  EXPECT_TRUE(leases.table.renew("A", "x", 100, leases.now));
  EXPECT_TRUE(leases.table.renew("A", "x", 99, leases.now));
  EXPECT_FALSE(leases.table.renew("A", "x", 101, leases.now));
}

TEST(LeaseTable, AnOverrideHoldsUntilItIsDropped) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  EXPECT_TRUE(leases.table.override_status("A", "x", InstanceStatus::out_of_service, 5, leases.now));
  EXPECT_EQ(leases.find("A", "x")->info->overridden_status, InstanceStatus::out_of_service);
  leases.enroll(instance_of("A", "x"));  // says that it is UP
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::out_of_service);
  leases.enroll(instance_of("A", "x", InstanceStatus::starting));  // about that it knows best
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::starting);
  leases.enroll(instance_of("A", "x"));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::out_of_service);

  EXPECT_TRUE(leases.table.drop_override("A", "x", InstanceStatus::unknown, std::nullopt, leases.now));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::unknown);
  EXPECT_FALSE(leases.renew("A", "x"));  // so that it says its true status
  leases.enroll(instance_of("A", "x"));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::up);
  EXPECT_TRUE(leases.table.drop_override("A", "x", InstanceStatus::down, std::nullopt, leases.now));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::up);  // there was none
  EXPECT_FALSE(leases.table.drop_override("A", "y", InstanceStatus::up, std::nullopt, leases.now));
  EXPECT_FALSE(leases.table.override_status("A", "y", InstanceStatus::up, std::nullopt, leases.now));
}

TEST(LeaseTable, AnOverrideLeavesTheInstancesOwnTimestampAlone) {
  TestLeases leases;
  auto info = instance_of("A", "x");
  info.last_dirty_ms = 100;
  leases.enroll(info);
  leases.table.override_status("A", "x", InstanceStatus::down, std::nullopt, leases.now);
  EXPECT_TRUE(leases.table.renew("A", "x", 100, leases.now));
  leases.table.override_status("A", "x", InstanceStatus::out_of_service, 150, leases.now);
  EXPECT_EQ(leases.find("A", "x")->info->last_dirty_ms, 150);
}

TEST(LeaseTable, WhoRegistersOutOfServiceStaysSoAsInEureka) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x", InstanceStatus::out_of_service));
  leases.enroll(instance_of("A", "x"));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::out_of_service);
  leases.enroll(instance_of("A", "x", InstanceStatus::starting));
  leases.enroll(instance_of("A", "x"));
  EXPECT_EQ(leases.status("A", "x"), InstanceStatus::up);
}

TEST(LeaseTable, MergesMetadataWithinABound) {
  LeaseOptions options;
  options.most_metadata_bytes = 10;
  TestLeases leases(options);
  auto info = instance_of("A", "x");
  info.metadata = {{"a", "1"}};
  leases.enroll(info);
  ASSERT_TRUE(leases.table.add_metadata("A", "x", {{"a", "2"}, {"b", "3"}}, leases.now));
  EXPECT_EQ(leases.find("A", "x")->info->metadata, (NamedValues{{"a", "2"}, {"b", "3"}}));
  const auto refused = leases.table.add_metadata("A", "x", {{"long", "12345"}}, leases.now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large);
  EXPECT_EQ(leases.find("A", "x")->info->metadata.size(), 2U);
  EXPECT_EQ(leases.table.add_metadata("A", "y", {}, leases.now).error().code, ErrorCode::not_found);
}

TEST(LeaseTable, HoldsAsManyAsItMay) {
  LeaseOptions options;
  options.most_instances = 1;
  TestLeases leases(options);
  leases.enroll(instance_of("A", "x"));
  leases.enroll(instance_of("A", "x"));
  const auto refused = leases.table.enroll(instance_of("A", "y"), leases.now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::overloaded);
}

TEST(LeaseTable, AChangeIsRecentForThreeMinutes) {
  TestLeases leases;
  leases.enroll(instance_of("A", "x"));
  leases.pass(30);
  leases.renew("A", "x");
  leases.enroll(instance_of("A", "y"));
  for (int i = 0; i < 5; ++i) {
    leases.pass(30);
    leases.renew("A", "x");
    leases.renew("A", "y");
  }
  EXPECT_THAT(leases.delta(), ElementsAre("x ADDED", "y ADDED"));
  const auto version = leases.table.version();
  leases.pass(1);
  EXPECT_THAT(leases.delta(), ElementsAre("y ADDED"));
  EXPECT_GT(leases.table.version(), version);
  leases.pass(30);
  EXPECT_THAT(leases.delta(), IsEmpty());
}

TEST(LeaseTable, RecentChangesAreBounded) {
  LeaseOptions options;
  options.most_recent_changes = 2;
  TestLeases leases(options);
  for (const auto* id : {"1", "2", "3"}) leases.enroll(instance_of("A", id));
  leases.enroll(instance_of("A", "2"));
  EXPECT_THAT(leases.delta(), ElementsAre("3 ADDED", "2 MODIFIED"));
}

TEST(LeaseTable, PagesTellWhatHasToBeWrittenAnew) {
  TestLeases leases;
  for (int i = 0; i < 200; ++i) leases.enroll(instance_of("A", std::to_string(i)));
  const auto* app = leases.table.find_app("A");
  ASSERT_EQ(app->page_versions.size(), 4U);
  auto before = app->page_versions;
  leases.table.override_status("A", "70", InstanceStatus::down, std::nullopt, leases.now);
  EXPECT_EQ(app->page_versions[0], before[0]);
  EXPECT_GT(app->page_versions[1], before[1]);
  EXPECT_EQ(app->page_versions[3], before[3]);
  before = app->page_versions;
  leases.table.cancel("A", "3", leases.now);  // the last one fills its place
  EXPECT_GT(app->page_versions[0], before[0]);
  EXPECT_EQ(app->page_versions[1], before[1]);
  EXPECT_GT(app->page_versions[3], before[3]);
}

TEST(LeaseTable, CountsAndPlacesHoldWhateverHappens) {
  std::mt19937 random(7);  // NOLINT: the same numbers each time
  TestLeases leases;
  const auto any = [&](unsigned most) { return static_cast<int>(random() % most); };
  for (int step = 0; step < 20'000; ++step) {
    const auto app = "APP" + std::to_string(any(3));
    const auto id = std::to_string(any(150));
    switch (any(8)) {
      case 0:
      case 1:
      case 2:
        leases.enroll(instance_of(app, id, static_cast<InstanceStatus>(any(5))));
        break;
      case 3:
        leases.table.cancel(app, id, leases.now);
        break;
      case 4:
        leases.table.override_status(app, id, static_cast<InstanceStatus>(any(5)), std::nullopt, leases.now);
        break;
      case 5:
        leases.table.drop_override(app, id, static_cast<InstanceStatus>(any(5)), std::nullopt, leases.now);
        break;
      case 6:
        leases.renew(app, id);
        break;
      default:
        leases.pass(1);
    }
  }
  StatusCounts counts{};
  std::size_t size = 0;
  for (const auto& [name, app] : leases.table.apps()) {
    EXPECT_FALSE(app.leases.empty());
    EXPECT_EQ(app.page_versions.size(),
              (app.leases.size() + LeaseTable::kPageSize - 1) / LeaseTable::kPageSize);
    for (std::size_t i = 0; i < app.leases.size(); ++i) {
      EXPECT_EQ(app.leases[i]->index, i);
      EXPECT_EQ(leases.table.find(name, app.leases[i]->info->instance_id, Timestamp()), app.leases[i].get());
      ++counts[static_cast<std::size_t>(app.leases[i]->info->status)];
      ++size;
    }
  }
  EXPECT_EQ(size, leases.table.size());
  EXPECT_EQ(counts, leases.table.counts());
}

}  // namespace
}  // namespace doorbuster::leases

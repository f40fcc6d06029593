#include <gtest/gtest.h>

#include "core/discovery/instance_table.hpp"
#include "core/discovery/registration_plan.hpp"
#include "core/discovery/server_order.hpp"

namespace doorbuster::discovery {
namespace {

using namespace std::chrono_literals;
using leases::Action;
using leases::InstanceStatus;

leases::InstanceInfo instance(const std::string& id, InstanceStatus status = InstanceStatus::up,
                              std::optional<Action> action = std::nullopt) {
  leases::InstanceInfo info;
  info.app = "SHOP";
  info.instance_id = id;
  info.host_name = id;
  info.status = status;
  info.action = action;
  return info;
}

leases::Applications list(std::vector<leases::InstanceInfo> instances, std::string hash = {}) {
  return {1, std::move(hash), {{"SHOP", std::move(instances)}}};
}

std::string ids(const InstanceTable& table) {
  std::string all;
  table.for_each([&](const leases::InstanceInfo& info) { all += info.instance_id; });
  return all;
}

TEST(InstanceTable, MergesDeltasAsOftenAsTheyComeAndComparesTheHash) {
  InstanceTable table;
  table.replace(list({instance("a"), instance("b")}), 0s);
  const auto delta = list({instance("d", InstanceStatus::up, Action::deleted),
                           instance("c", InstanceStatus::starting, Action::added),
                           instance("a", InstanceStatus::down, Action::modified),
                           instance("b", InstanceStatus::up, Action::deleted)},
                          "DOWN_1_STARTING_1_");
  EXPECT_TRUE(table.apply(delta));
  EXPECT_TRUE(table.apply(delta));
  EXPECT_EQ(ids(table), "ac");
}

TEST(InstanceTable, NoticesThatItMissedSomething) {
  InstanceTable table;
  table.replace(list({instance("a")}), 0s);
  EXPECT_FALSE(table.apply(list({instance("b", InstanceStatus::up, Action::added)}, "UP_3_")));
}

TEST(InstanceTable, KeepsForOneLeaseWhomARestartedRegistryDoesNotKnow) {
  InstanceTable table;
  table.replace(list({instance("a"), instance("b"), instance("c", InstanceStatus::down)}), 0s);
  table.replace(list({}), 10s);
  EXPECT_EQ(ids(table), "ab") << "who was not UP is not kept";
  EXPECT_EQ(table.hash_code(), "") << "they do not count";
  EXPECT_EQ(*table.next_forget(), 100s);
  EXPECT_TRUE(table.apply(list({instance("a", InstanceStatus::up, Action::added)}, "UP_1_")));
  table.replace(list({instance("a")}), 50s);
  EXPECT_FALSE(table.forget(99s)) << "asked again does not begin anew";
  EXPECT_TRUE(table.forget(100s));
  EXPECT_EQ(ids(table), "a");
  EXPECT_FALSE(table.next_forget());
}

TEST(InstanceTable, RememberedOnesLeaveByADeltaOrWhenTheirAddressIsTaken) {
  InstanceTable table;
  table.replace(list({instance("a"), instance("b")}), 0s);
  auto successor = instance("c");
  successor.host_name = "a";
  table.replace(list({successor}), 1s);
  EXPECT_EQ(ids(table), "bc");
  EXPECT_TRUE(table.apply(list({instance("b", InstanceStatus::up, Action::deleted)}, "UP_1_")));
  EXPECT_EQ(ids(table), "c");
  table.replace(list({}), 2s, true);
  EXPECT_EQ(ids(table), "");
}

TEST(ServerOrder, StaysGoesOnAndWaitsLongerEachTime) {
  SeededRandom random(1);
  ServerOrder order(2, random);
  EXPECT_EQ(order.choose(0s).server, 0u);
  order.failed(0, 0s);
  order.failed(0, 0s);
  auto choice = order.choose(0s);
  EXPECT_EQ(choice.server, 1u);
  EXPECT_EQ(choice.not_before, 0s);
  order.answered(1);
  EXPECT_EQ(order.choose(1h).server, 1u) << "stays with the one that answers";
  order.failed(1, 1h);
  EXPECT_EQ(order.choose(1h).server, 0u);
  order.failed(0, 1h);  // its second: about 200 ms; the other one's first: about 100 ms
  choice = order.choose(1h);
  EXPECT_EQ(choice.server, 1u);
  EXPECT_GE(choice.not_before, 1h + 75ms);
  EXPECT_LE(choice.not_before, 1h + 100ms);
}

TEST(ServerOrder, ThePauseIsBounded) {
  SeededRandom random(1);
  ServerOrder order(1, random);
  Moment now{};
  for (int i = 0; i < 20; ++i) {
    order.failed(0, now);
    now = order.choose(now).not_before;
  }
  order.failed(0, now);
  EXPECT_LE(order.choose(now).not_before - now, ServerOrder::kLongestPause);
  order.answered(0);
  EXPECT_EQ(order.choose(now).not_before, now);
}

using Call = RegistrationPlan::Call;

TEST(RegistrationPlan, EnrollsRenewsAndEnrollsAgainWhenNotKnown) {
  RegistrationPlan plan(InstanceStatus::up, 30s, 0s);
  EXPECT_EQ(plan.next()->call, Call::enroll);
  plan.sent(Call::enroll);
  EXPECT_FALSE(plan.answered(Call::enroll, RegistrationPlan::kNoAnswer, 1s));
  EXPECT_FALSE(plan.answered(Call::enroll, 500, 1s));
  EXPECT_EQ(plan.next()->call, Call::enroll);
  EXPECT_TRUE(plan.answered(Call::enroll, 204, 2s));
  EXPECT_EQ(plan.next()->call, Call::renew);
  EXPECT_EQ(plan.next()->due, 32s);
  EXPECT_TRUE(plan.answered(Call::renew, 200, 33s));
  EXPECT_EQ(plan.next()->due, 63s);
  EXPECT_FALSE(plan.answered(Call::renew, 503, 64s));
  EXPECT_EQ(plan.next()->due, 63s) << "due still: at the next server";
  EXPECT_TRUE(plan.answered(Call::renew, 404, 65s));
  EXPECT_EQ(plan.next()->call, Call::enroll);
}

TEST(RegistrationPlan, TellsAStatusThatChangedWhileTheOldOneWasOnItsWay) {
  RegistrationPlan plan(InstanceStatus::starting, 30s, 0s);
  plan.sent(Call::enroll);
  plan.set_status(InstanceStatus::up);
  plan.answered(Call::enroll, 204, 1s);
  EXPECT_EQ(plan.next()->call, Call::enroll);
  plan.sent(Call::enroll);
  plan.answered(Call::enroll, 204, 2s);
  EXPECT_EQ(plan.next()->call, Call::renew);
}

TEST(RegistrationPlan, OutOfServiceIsAnOverride) {
  RegistrationPlan plan(InstanceStatus::up, 30s, 0s);
  plan.sent(Call::enroll);
  plan.answered(Call::enroll, 204, 0s);
  plan.set_status(InstanceStatus::out_of_service);
  EXPECT_EQ(plan.next()->call, Call::set_override);
  EXPECT_TRUE(plan.answered(Call::set_override, 404, 1s));
  EXPECT_EQ(plan.next()->call, Call::enroll);
  EXPECT_EQ(plan.status_to_enroll(), InstanceStatus::up);
  plan.sent(Call::enroll);
  plan.answered(Call::enroll, 204, 1s);
  plan.answered(Call::set_override, 200, 1s);
  EXPECT_EQ(plan.next()->call, Call::renew);
  plan.set_status(InstanceStatus::up);
  EXPECT_EQ(plan.next()->call, Call::drop_override);
  plan.answered(Call::drop_override, 200, 1s);
  EXPECT_EQ(plan.next()->call, Call::renew);
}

TEST(RegistrationPlan, TakesItsLeave) {
  RegistrationPlan plan(InstanceStatus::up, 30s, 0s);
  plan.withdraw();
  EXPECT_EQ(plan.next()->call, Call::cancel) << "an answer that was lost may have registered it";
  EXPECT_FALSE(plan.answered(Call::cancel, 500, 0s));
  EXPECT_TRUE(plan.answered(Call::cancel, 404, 0s));
  EXPECT_FALSE(plan.next());
  EXPECT_TRUE(plan.withdrawn());
}

}  // namespace
}  // namespace doorbuster::discovery

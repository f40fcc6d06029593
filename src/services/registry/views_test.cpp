#include "services/registry/views.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/manual_clock.hpp"

namespace doorbuster::registry {
namespace {

using eureka::Format;
using leases::InstanceStatus;
using testing::ElementsAre;

leases::InstanceInfo instance_of(const std::string& app, const std::string& id) {
  leases::InstanceInfo info;
  info.app = app;
  info.instance_id = id;
  info.host_name = "h";
  return info;
}

class ViewsTest : public testing::Test {
 protected:
  void enroll(const std::string& app, const std::string& id) {
    ASSERT_TRUE(table_.enroll(instance_of(app, id), clock_.now()));
  }
  leases::Applications read(Views::Kind kind, Format format = Format::json, bool gzip = false) {
    auto text = views_.get(kind, format, gzip)->joined();
    if (gzip) text = *gunzip(text, 100'000'000);
    auto read = eureka::read_applications(format, text);
    EXPECT_TRUE(read) << read.error().detail << "\n" << text.substr(0, 2000);
    return read ? without_renewals(*read) : leases::Applications();
  }
  /// The time of the last heartbeat is as old as the page that tells it.
  static leases::Applications without_renewals(leases::Applications all) {
    for (auto& app : all.applications) {
      for (auto& info : app.instances) info.lease.last_renewal_ms = 0;
    }
    return all;
  }
  /// What a full answer should be.
  leases::Applications expected() {
    leases::Applications all;
    all.version = table_.version();
    all.hash_code = table_.hash_code();
    for (const auto& [name, app] : table_.apps()) {
      all.applications.push_back({name, {}});
      for (const auto& lease : app.leases) all.applications.back().instances.push_back(*lease->info);
    }
    return without_renewals(all);
  }
  /// `APP/id ACTION` in the order of the answer.
  std::vector<std::string> entries(Format format) {
    std::vector<std::string> found;
    for (const auto& app : read(Views::Kind::delta, format).applications) {
      for (const auto& info : app.instances) {
        found.push_back(app.name + "/" + info.instance_id + " " + std::string(to_text(*info.action)));
      }
    }
    return found;
  }

  test::ManualClock clock_;
  leases::LeaseTable table_{{}};
  Views views_{table_, clock_};
};

TEST_F(ViewsTest, AnEmptyRegistryHasAnEmptyList) {
  EXPECT_EQ(views_.get(Views::Kind::full, Format::json, false)->joined(),
            R"({"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}})");
  EXPECT_TRUE(read(Views::Kind::full, Format::xml, true).applications.empty());
}

TEST_F(ViewsTest, EveryFormTellsTheSameAfterEveryChange) {
  std::mt19937 random(11);  // NOLINT: the same numbers each time
  for (int step = 0; step < 150; ++step) {
    const auto app = "APP" + std::to_string(random() % 4);
    const auto id = std::to_string(random() % 150);
    for (int i = 0; i < 3; ++i) enroll(app, std::to_string(random() % 150));
    if (random() % 2 == 0) table_.cancel(app, id, clock_.now());
    if (random() % 20 == 0) {  // a whole app goes
      for (int i = 0; i < 150; ++i) table_.cancel(app, std::to_string(i), clock_.now());
    }
    table_.override_status(app, id, InstanceStatus::down, std::nullopt, clock_.now());
    clock_.advance(std::chrono::milliseconds(300));
    if (step % 7 != 0) continue;  // several changes between two fetches
    for (const auto format : {Format::json, Format::xml}) {
      for (const bool gzip : {false, true})
        ASSERT_EQ(read(Views::Kind::full, format, gzip), expected()) << step;
    }
    const auto delta = read(Views::Kind::delta);
    ASSERT_EQ(delta.hash_code, table_.hash_code());
    ASSERT_EQ(delta, read(Views::Kind::delta, Format::xml, true));
  }
}

TEST_F(ViewsTest, IsMadeOnlyAfterAChange) {
  enroll("A", "1");
  views_.get(Views::Kind::full, Format::json, false);
  const auto made = views_.made();
  table_.renew("A", "1", std::nullopt, clock_.now());
  views_.get(Views::Kind::full, Format::json, false);
  EXPECT_EQ(views_.made(), made);
  enroll("A", "2");
  views_.get(Views::Kind::full, Format::json, false);
  EXPECT_EQ(views_.made(), made + 1);
}

TEST_F(ViewsTest, ADeltaTellsWhatIsThereBeforeWhatIsGone) {
  enroll("GONE", "x");
  enroll("BOTH", "old");
  clock_.advance(std::chrono::seconds(1));
  table_.cancel("GONE", "x", clock_.now());
  table_.cancel("BOTH", "old", clock_.now());
  enroll("BOTH", "new");
  enroll("ZOO", "z");
  table_.override_status("ZOO", "z", InstanceStatus::down, std::nullopt, clock_.now());
  for (const auto format : {Format::json, Format::xml}) {
    EXPECT_THAT(entries(format),
                ElementsAre("BOTH/new ADDED", "BOTH/old DELETED", "ZOO/z MODIFIED", "GONE/x DELETED"));
  }
  EXPECT_EQ(read(Views::Kind::delta).hash_code, "DOWN_1_UP_1_");
}

TEST_F(ViewsTest, AnAppThatIsDeletedAndComesBackAppearsOnce) {
  enroll("A", "1");
  table_.cancel("A", "1", clock_.now());
  enroll("A", "1");
  EXPECT_THAT(entries(Format::json), ElementsAre("A/1 MODIFIED"));
}

/// Each look at it takes time: a making seems to be slow.
class SlowClock final : public Clock {
 public:
  Timestamp now() override { return time += std::chrono::milliseconds(5); }
  Timestamp time;
};

TEST(Views, SlowMakingsTakeAFifthOfTheTimeAtMost) {
  SlowClock clock;
  leases::LeaseTable table({});
  Views views(table, clock);
  const auto change = [&] { ASSERT_TRUE(table.enroll(instance_of("A", "1"), Timestamp())); };
  change();
  views.get(Views::Kind::full, Format::json, false);
  change();
  const auto stale = views.get(Views::Kind::full, Format::json, false);
  EXPECT_EQ(views.made(), 1U);
  clock.time += std::chrono::milliseconds(20);
  EXPECT_NE(views.get(Views::Kind::full, Format::json, false), stale);
  EXPECT_EQ(views.made(), 2U);
}

}  // namespace
}  // namespace doorbuster::registry

#include "adapters/redis/service_copy.hpp"

#include <gmock/gmock.h>

#include "adapters/redis/test_redis.hpp"
#include "tests/support/await.hpp"

namespace doorbuster::test {
namespace {

using testing::HasSubstr;
using Found = std::shared_ptr<const ServiceList>;

/// What a follower of the registry would know.
class SettableDirectory final : public ServiceDirectory {
 public:
  void set(ServiceList list) {
    const std::lock_guard lock(mutex_);
    list_ = std::make_shared<const ServiceList>(std::move(list));
    if (on_ != nullptr) on_->post([changed = changed_] { (*changed)(); });
  }
  std::shared_ptr<const ServiceList> instances(std::string_view service) override {
    const std::lock_guard lock(mutex_);
    return service == "coupon-api" ? list_ : std::make_shared<const ServiceList>();
  }
  void subscribe(Executor& on, UniqueFunction<void()> changed) override {
    const std::lock_guard lock(mutex_);
    on_ = &on;
    changed_ = std::make_shared<UniqueFunction<void()>>(std::move(changed));
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const ServiceList> list_ = std::make_shared<const ServiceList>();
  Executor* on_ = nullptr;
  std::shared_ptr<UniqueFunction<void()>> changed_;
};

ServiceInstance instance(std::uint16_t port, InstanceStatus status = InstanceStatus::up) {
  ServiceInstance one;
  one.id = "host:coupon-api:" + std::to_string(port);
  one.service = "coupon-api";
  one.host = "10.0.0.1";
  one.port = port;
  one.status = status;
  one.metadata = {{"zone", "east \"1\""}, {std::string(kPipeliningMetadata), "64"}};
  return one;
}

class ServiceCopy : public testing::Test {
 protected:
  ServiceCopy() { shard_.start(); }
  ~ServiceCopy() override {
    shard_.run([this] {
      lookup_.reset();
      keeper_.reset();
    });
    shard_.stop();
  }
  void keep(ServiceCopyKeeper::Times times = {}) {
    shard_.run([this, times] {
      keeper_ = std::make_unique<ServiceCopyKeeper>(shard_, redis_options(), directory_,
                                                    std::set<std::string>{"coupon-api"}, times);
    });
  }
  void stop_keeping() {
    shard_.run([this] { keeper_.reset(); });
  }
  void look(Duration timeout = std::chrono::seconds(2)) {
    auto options = redis_options();
    options.command_timeout = timeout;
    shard_.run([&] { lookup_ = std::make_unique<RedisLookup>(shard_, std::move(options)); });
  }
  Result<Found> look_up(std::string service = "coupon-api") {
    return await<Found>(executor_, [&](auto done) {
      auto shared = std::make_shared<decltype(done)>(std::move(done));
      shard_.post([this, service, shared] {
        lookup_->look_up(service, [this, shared](Result<Found> found) {
          executor_.post([shared, found = std::move(found)]() mutable { (*shared)(std::move(found)); });
        });
      });
    });
  }
  /// Asks until the list is this one.
  bool finds(const ServiceList& wanted) {
    return executor_.wait_until([&] {
      const auto found = look_up();
      return found && **found == wanted;
    });
  }

  ManualExecutor executor_;
  SettableDirectory directory_;
  RedisProbe probe_;
  rt::Shard shard_{"io-0"};
  std::unique_ptr<ServiceCopyKeeper> keeper_;
  std::unique_ptr<RedisLookup> lookup_;
};

TEST_F(ServiceCopy, SaysWhatTheDirectoryKnows) {
  const ServiceList two{instance(8081), instance(8082, InstanceStatus::out_of_service)};
  directory_.set(two);
  keep();
  look();
  EXPECT_TRUE(finds(two));
  directory_.set({instance(8083)});
  EXPECT_TRUE(finds({instance(8083)}));
  directory_.set({});
  EXPECT_TRUE(finds({})) << "nobody is an answer, too";
}

TEST_F(ServiceCopy, ThereIsNoneBeforeTheDirectoryHasOne) {
  keep();
  look();
  EXPECT_TRUE(executor_.wait_until([&] {
    const auto found = look_up();
    return !found && found.error().detail.find("no copy") != std::string::npos;
  }));
}

TEST_F(ServiceCopy, IsWrittenAgainWhenRedisWasEmptied) {
  directory_.set({instance(8081)});
  keep({.refresh = std::chrono::milliseconds(20)});
  look();
  EXPECT_TRUE(finds({instance(8081)}));
  probe_.call({"FLUSHALL"}).value();
  EXPECT_TRUE(finds({instance(8081)}));
}

TEST_F(ServiceCopy, EndsWhenNobodyKeepsIt) {
  directory_.set({instance(8081)});
  keep({.lasts = std::chrono::milliseconds(100), .refresh = std::chrono::milliseconds(10)});
  look();
  EXPECT_TRUE(finds({instance(8081)}));
  stop_keeping();
  EXPECT_TRUE(executor_.wait_until([&] { return !look_up(); }));
}

TEST_F(ServiceCopy, WhoKnowsNothingProlongsNothing) {
  probe_.call({"SET", "doorbuster:instances:1:coupon-api", "[]", "PX", "100"}).value();
  keep({.refresh = std::chrono::milliseconds(10)});
  look();
  EXPECT_TRUE(executor_.wait_until([&] {
    const auto found = look_up();
    return !found && found.error().detail.find("no copy") != std::string::npos;
  }));
}

TEST_F(ServiceCopy, WhoKnowsNothingNewWritesOverNobody) {
  directory_.set({instance(8081)});
  keep({.refresh = std::chrono::milliseconds(10)});
  look();
  EXPECT_TRUE(finds({instance(8081)}));
  const ServiceList news{instance(8081), instance(8082)};
  probe_.call({"SET", "doorbuster:instances:1:coupon-api", service_copy_text(news)}).value();
  directory_.set({instance(8081)});  // the registry has answered, with what it knew before
  probe_.call({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(executor_.wait_until([&] {
    return probe_.call({"PTTL", "doorbuster:instances:1:coupon-api"}).value().integer() > 0;
  })) << "prolonged, after the connection had been made again";
  EXPECT_TRUE(finds(news));
}

TEST_F(ServiceCopy, AnythingElseUnderItsKeyIsAnError) {
  look();
  EXPECT_TRUE(executor_.wait_until([&] {
    const auto found = look_up("x");
    return !found && found.error().detail.find("no copy") != std::string::npos;
  }));
  for (const char* text : {"", "{}", "[1]", "[{}]", R"([{"id":"a"}])", "[[[[["}) {
    probe_.call({"SET", "doorbuster:instances:1:x", text}).value();
    EXPECT_EQ(look_up("x").error().code, ErrorCode::malformed) << text;
  }
  probe_.call({"DEL", "doorbuster:instances:1:x"}).value();
  probe_.call({"LPUSH", "doorbuster:instances:1:x", "a"}).value();
  EXPECT_EQ(look_up("x").error().code, ErrorCode::unavailable);
}

TEST_F(ServiceCopy, ARedisThatStandsStillIsAnErrorInTime) {
  directory_.set({instance(8081)});
  keep();
  look(std::chrono::milliseconds(200));
  EXPECT_TRUE(finds({instance(8081)}));
  EXPECT_EQ(tell_stack("pause redis"), "");
  const auto found = look_up();
  EXPECT_FALSE(found);
  EXPECT_THAT(found.error().detail, HasSubstr("does not answer"));
  EXPECT_FALSE(look_up()) << "and at once while it is away";
  EXPECT_EQ(tell_stack("resume redis"), "");
  EXPECT_TRUE(finds({instance(8081)}));
}

}  // namespace
}  // namespace doorbuster::test

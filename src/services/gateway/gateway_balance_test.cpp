// How requests spread over several instances, and when the breaker leaves one of them alone: the whole
// gateway, and not the balancer by itself, before instances that count what reaches them.

#include <array>
#include <atomic>

#include "services/gateway/gateway_fixture.hpp"

namespace doorbuster::gateway {
namespace {

using balancing::Policy;
using net::Client;
using net::UpstreamHost;
using Connection = ScriptedUpstream::Connection;

/// Counts its requests, and does with them what it was last told.
class Counting {
 public:
  enum class Does : std::uint8_t { answers, fails, holds };

  int requests() const { return requests_; }
  std::uint16_t port() const { return upstream_.port(); }
  void will(Does what) { does_ = what; }
  /// Answers what it holds, and holds nothing from now on.
  void let_go() {
    does_ = Does::answers;
    go_on_.give();
  }

 private:
  void serve(Connection& connection) {
    while (const auto request = connection.read()) {
      const auto does = does_.load();
      ++requests_;
      if (does == Does::holds) go_on_.wait();
      if (does == Does::fails) {
        connection.send("HTTP/1.1 500 Internal Server Error\r\n" + request->correlation +
                        "Content-Length: 0\r\n\r\n");
      } else {
        connection.answer(*request, request->target);
      }
    }
  }

  std::atomic<int> requests_{0};
  std::atomic<Does> does_{Does::answers};
  Signal go_on_;
  // The last one: its threads use the others.
  ScriptedUpstream upstream_{[this](Connection& connection) { serve(connection); }};
};

class Spread : public GatewayTest, public testing::WithParamInterface<std::tuple<Policy, bool>> {
 protected:
  static Policy policy() { return std::get<0>(GetParam()); }
  void serve_three() {
    options_.service.balancer.policy = policy();
    // A connection for each request: behind one that is held, it would not be seen to arrive.
    options_.service.upstream.pipelined_connections = 32;
    options_.service.upstream.spread_at = 1;
    serve({instance(three_[0].port(), std::get<1>(GetParam())),
           instance(three_[1].port(), std::get<1>(GetParam())),
           instance(three_[2].port(), std::get<1>(GetParam()))});
  }
  int arrived() const { return three_[0].requests() + three_[1].requests() + three_[2].requests(); }

  std::array<Counting, 3> three_;
};

INSTANTIATE_TEST_SUITE_P(Policies, Spread,
                         testing::Combine(testing::Values(Policy::round_robin, Policy::least_outstanding,
                                                          Policy::two_choices),
                                          testing::Bool()),
                         [](const auto& tested) {
                           const auto policy = std::get<0>(tested.param);
                           return std::string(policy == Policy::round_robin         ? "RoundRobin"
                                              : policy == Policy::least_outstanding ? "LeastOutstanding"
                                                                                    : "TwoChoices") +
                                  (std::get<1>(tested.param) ? "Pipelined" : "Exclusive");
                         });

TEST_P(Spread, EachInstanceGetsItsShare) {
  serve_three();
  Client client(port_);
  for (int i = 0; i < 90; ++i) {
    client.send(get("/a"));
    ASSERT_EQ(client.reply().status, 200);
  }
  EXPECT_EQ(arrived(), 90);
  for (const auto& one : three_) {
    if (policy() == Policy::two_choices) {
      EXPECT_GE(one.requests(), 15) << "drawn, so not even; yet nobody is forgotten";
    } else {
      EXPECT_EQ(one.requests(), 30);
    }
  }
}

TEST_P(Spread, ASlowInstanceGetsFewerUnlessTheyTakeTurns) {
  serve_three();
  auto& slow = three_[1];
  slow.will(Counting::Does::holds);
  std::vector<std::unique_ptr<Client>> held;
  for (int i = 0; i < 30; ++i) {
    auto client = std::make_unique<Client>(port_);
    const int before = slow.requests();
    client->send(get("/a"));
    ASSERT_TRUE(eventually([&] { return arrived() == i + 1; }));
    if (slow.requests() > before) {
      held.push_back(std::move(client));
    } else {
      ASSERT_EQ(client->reply().status, 200);
    }
  }
  // As long as its first request is in the air, the others are less busy.
  EXPECT_EQ(slow.requests(), policy() == Policy::round_robin ? 10 : 1);
  EXPECT_GE(three_[0].requests(), 5);
  EXPECT_GE(three_[2].requests(), 5);
  slow.let_go();
  for (const auto& client : held) EXPECT_EQ(client->reply().status, 200);

  const int before = slow.requests();
  Client client(port_);
  for (int i = 0; i < 30; ++i) {
    client.send(get("/a"));
    ASSERT_EQ(client.reply().status, 200);
  }
  EXPECT_GE(slow.requests() - before, 5) << "when it is quick again, it has its share again";
}

class Breaker : public GatewayTest {
 protected:
  static constexpr Duration kPause = 500ms;

  /// Two instances that take turns; the first fails until its breaker opens.
  void open_breaker() {
    options_.service.balancer.failures_to_eject = 0;  // the breaker alone
    auto& breaker = options_.service.balancer.breaker;
    breaker.window = 1h;
    breaker.least_results = 4;
    breaker.first_pause = kPause;
    bad_.will(Counting::Does::fails);
    serve({instance(bad_.port(), true), instance(good_.port(), true)});
    opened_after_ = UpstreamHost::precise_now();
    int failed = 0;
    for (int i = 0; i < 8; ++i) failed += ask() == 500 ? 1 : 0;
    EXPECT_EQ(failed, 4);
    EXPECT_EQ(bad_.requests(), 4);
  }
  int ask() {
    before_last_ = UpstreamHost::precise_now();
    client_->send(get("/a"));
    const int status = client_->reply().status;
    after_last_ = UpstreamHost::precise_now();
    return status;
  }
  /// Requests within a pause that began at `began` or later: none reaches the instance.
  void expect_left_alone(Duration began, Duration pause) {
    const int before = bad_.requests();
    int within = 0;
    for (int i = 0; i < 20; ++i) {
      const int status = ask();
      if (after_last_ >= began + pause) break;  // a slow machine: what follows says nothing
      EXPECT_EQ(status, 200);
      EXPECT_EQ(bad_.requests(), before);
      ++within;
    }
    EXPECT_GT(within, 0);
  }
  /// \param ended a moment at which the failure that opened the breaker was over
  void wait_for_pause(Duration ended, Duration pause) {
    EXPECT_TRUE(eventually([&] { return upstreams_->now() > ended + pause; }));
  }

  void serve(ServiceList instances) {
    GatewayTest::serve(std::move(instances));
    client_ = std::make_unique<Client>(port_);
  }

  Counting bad_, good_;
  std::unique_ptr<Client> client_;
  Duration opened_after_{0}, before_last_{0}, after_last_{0};
};

TEST_F(Breaker, AnInstanceThatKeepsFailingIsLeftAloneAndThenTriedByOneRequest) {
  open_breaker();
  const auto ended = after_last_;
  expect_left_alone(opened_after_, kPause);

  bad_.will(Counting::Does::holds);
  wait_for_pause(ended, kPause);
  std::vector<std::unique_ptr<Client>> trying;
  const int before = good_.requests();
  for (int i = 0; i < 10; ++i) {
    auto client = std::make_unique<Client>(port_);
    client->send(get("/a"));
    ASSERT_TRUE(eventually([&] { return bad_.requests() - 4 + good_.requests() - before == i + 1; }));
    if (bad_.requests() > 4 && trying.empty()) {
      trying.push_back(std::move(client));
    } else {
      ASSERT_EQ(client->reply().status, 200);
    }
  }
  EXPECT_EQ(bad_.requests(), 5) << "one request tries it; until that is answered no other one does";
  bad_.let_go();
  ASSERT_EQ(trying.size(), 1u);
  EXPECT_EQ(trying[0]->reply().status, 200);

  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(), 200);
  EXPECT_EQ(bad_.requests(), 10) << "closed again: they take turns";
}

TEST_F(Breaker, WhenTheTrialFailsThePauseIsTwiceAsLong) {
  open_breaker();
  wait_for_pause(after_last_, kPause);
  int asked = 0;
  while (bad_.requests() == 4 && ++asked <= 2) ask();
  EXPECT_EQ(bad_.requests(), 5) << "the trial";
  const auto began = before_last_;
  const auto ended = after_last_;
  expect_left_alone(began, 2 * kPause);
  // A pause as long as the first would be over by now.
  EXPECT_TRUE(eventually([&] { return upstreams_->now() > ended + kPause; }));
  expect_left_alone(began, 2 * kPause);
  bad_.will(Counting::Does::answers);
  wait_for_pause(ended, 2 * kPause);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ask(), 200);
  EXPECT_EQ(bad_.requests(), 10);
}

}  // namespace
}  // namespace doorbuster::gateway

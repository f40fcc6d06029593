#pragma once
// What every RequestBook does. An adapter instantiates it with a bed of its own:
//
//   struct Bed {                        // made anew for each test, with an empty book
//     RequestBook& owner(std::size_t);  // 0 or 1
//     ManualExecutor& executor();       // completions run in its turns, or inside the call
//     ManualClock& clock();             // the book's
//     static RequestBookOptions options();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(MyBook, RequestBookSuite, Bed);

#include <gtest/gtest.h>

#include "ports/request_book.hpp"
#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {

/// Small enough to be reached.
inline RequestBookOptions small_book() {
  RequestBookOptions options;
  options.most_pending = 5;
  options.most_settled = 4;
  options.kept_for = std::chrono::seconds(60);
  options.dead_after = std::chrono::seconds(3);
  return options;
}

template <class Bed>
class RequestBookSuite : public testing::Test {
 protected:
  Result<void> accept(std::vector<std::string> ids, std::size_t owner = 0) {
    std::vector<QueuedRequest> requests;
    std::vector<RequestAnswer> pending;
    for (const auto& id : ids) {
      requests.push_back({id, {campaign_id("sale"), user_id("user-of-" + id)}, bed_.clock().now()});
      pending.push_back(answer(id, R"({"state": "pending"})"));
    }
    return await<void>(bed_.executor(), [&](auto done) {
      bed_.owner(owner).accept(std::move(requests), std::move(pending), std::move(done));
    });
  }
  Result<void> settle(std::vector<std::string> ids, const std::string& body = R"({"state": "issued"})",
                      std::size_t owner = 0) {
    std::vector<RequestAnswer> outcomes;
    for (const auto& id : ids) outcomes.push_back(answer(id, body));
    return await<void>(bed_.executor(),
                       [&](auto done) { bed_.owner(owner).settle(std::move(outcomes), std::move(done)); });
  }
  std::vector<std::string> take_over(std::size_t owner, std::size_t max = 100) {
    std::vector<std::string> ids;
    auto taken = await<std::vector<QueuedRequest>>(
        bed_.executor(), [&](auto done) { bed_.owner(owner).take_over(max, std::move(done)); });
    for (const auto& queued : taken.value()) {
      EXPECT_EQ(queued.request.campaign, campaign_id("sale"));
      EXPECT_EQ(queued.request.user, user_id("user-of-" + queued.id));
      ids.push_back(queued.id);
    }
    return ids;
  }
  /// What is told of a request; empty: nothing.
  std::string told(const std::string& id, std::size_t owner = 0) {
    auto found = await<std::optional<RequestAnswer>>(
        bed_.executor(), [&](auto done) { bed_.owner(owner).find(id, std::move(done)); });
    if (!found.value()) return {};
    EXPECT_EQ((*found)->user, user_id("user-of-" + id));
    return (*found)->body;
  }
  void pass(Duration time) { bed_.clock().set(bed_.clock().now() + time); }
  static RequestAnswer answer(const std::string& id, const std::string& body) {
    return {id, user_id("user-of-" + id), body};
  }

  Bed bed_;
};

TYPED_TEST_SUITE_P(RequestBookSuite);

using Ids = std::vector<std::string>;

TYPED_TEST_P(RequestBookSuite, TellsEveryOwnerWhatWasNoted) {
  EXPECT_EQ(this->told("a"), "");
  ASSERT_TRUE(this->accept({"a", "b"}));
  EXPECT_EQ(this->told("a", 1), R"({"state": "pending"})");
  ASSERT_TRUE(this->settle({"a"}));
  EXPECT_EQ(this->told("a", 1), R"({"state": "issued"})");
  EXPECT_EQ(this->told("b", 1), R"({"state": "pending"})");
}

TYPED_TEST_P(RequestBookSuite, TheFirstOutcomeStays) {
  ASSERT_TRUE(this->accept({"a"}));
  ASSERT_TRUE(this->settle({"a"}, "first", 1));
  ASSERT_TRUE(this->settle({"a"}, "second"));
  EXPECT_EQ(this->told("a"), "first");
}

TYPED_TEST_P(RequestBookSuite, TooManyWithoutAnOutcomeAreRefused) {
  ASSERT_TRUE(this->accept({"a", "b", "c"}));
  ASSERT_TRUE(this->accept({"d"}, 1));
  EXPECT_EQ(this->accept({"e", "f"}).error().code, ErrorCode::overloaded);
  EXPECT_EQ(this->told("e"), "") << "all or none";
  ASSERT_TRUE(this->settle({"b"}));
  EXPECT_TRUE(this->accept({"e", "f"}));
  EXPECT_EQ(this->accept({"g"}, 1).error().code, ErrorCode::overloaded);
}

TYPED_TEST_P(RequestBookSuite, ADeadOwnersRequestsAreTakenOverOnce) {
  ASSERT_TRUE(this->accept({"a", "b"}));
  this->pass(std::chrono::seconds(1));
  ASSERT_TRUE(this->accept({"c"}));
  ASSERT_TRUE(this->settle({"b"}));
  EXPECT_EQ(this->take_over(1), Ids());
  this->pass(std::chrono::milliseconds(3001));
  EXPECT_EQ(this->take_over(1, 0), Ids()) << "it only says that it lives";
  EXPECT_EQ(this->take_over(1), (Ids{"a", "c"}));
  EXPECT_EQ(this->take_over(1), Ids());
  EXPECT_EQ(this->take_over(0), Ids()) << "the other one lives";
  ASSERT_TRUE(this->settle({"a", "c"}, "done", 1));
  this->pass(std::chrono::seconds(4));
  EXPECT_EQ(this->take_over(0), Ids()) << "nothing is left of it";
}

TYPED_TEST_P(RequestBookSuite, OneThatTookOverMayDieToo) {
  ASSERT_TRUE(this->accept({"a", "b"}));
  this->pass(std::chrono::seconds(4));
  EXPECT_EQ(this->take_over(1, 1).size(), 1U);
  EXPECT_EQ(this->take_over(1, 1).size(), 1U);
  this->pass(std::chrono::seconds(4));
  auto again = this->take_over(0);
  std::sort(again.begin(), again.end());
  EXPECT_EQ(again, (Ids{"a", "b"}));
}

TYPED_TEST_P(RequestBookSuite, OneThatSaysThatItLivesKeepsItsRequests) {
  ASSERT_TRUE(this->accept({"a"}));
  for (int second = 0; second < 5; ++second) {
    this->pass(std::chrono::seconds(1));
    EXPECT_EQ(this->take_over(0, 0), Ids());
    EXPECT_EQ(this->take_over(1), Ids());
  }
}

TYPED_TEST_P(RequestBookSuite, OutcomesAreForgottenByNumber) {
  for (const std::string id : {"a", "b", "c", "d", "e", "f"}) {
    ASSERT_TRUE(this->accept({id}));
    ASSERT_TRUE(this->settle({id}));
  }
  EXPECT_EQ(this->told("a"), "");
  EXPECT_EQ(this->told("b"), "");
  for (const std::string id : {"c", "d", "e", "f"}) EXPECT_EQ(this->told(id), R"({"state": "issued"})");
}

TYPED_TEST_P(RequestBookSuite, OutcomesAreForgottenByTimeAndPendingOnesAreNot) {
  ASSERT_TRUE(this->accept({"a", "b"}));
  ASSERT_TRUE(this->settle({"a"}));
  this->pass(std::chrono::seconds(61));
  ASSERT_TRUE(this->accept({"c"}));
  ASSERT_TRUE(this->settle({"c"}));
  EXPECT_EQ(this->told("a"), "");
  EXPECT_EQ(this->told("b"), R"({"state": "pending"})");
  EXPECT_EQ(this->told("c"), R"({"state": "issued"})");
}

REGISTER_TYPED_TEST_SUITE_P(RequestBookSuite, TellsEveryOwnerWhatWasNoted, TheFirstOutcomeStays,
                            TooManyWithoutAnOutcomeAreRefused, ADeadOwnersRequestsAreTakenOverOnce,
                            OneThatTookOverMayDieToo, OneThatSaysThatItLivesKeepsItsRequests,
                            OutcomesAreForgottenByNumber, OutcomesAreForgottenByTimeAndPendingOnesAreNot);

}  // namespace doorbuster::test

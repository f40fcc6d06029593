#pragma once
// What every EventLog with its EventSource and CampaignCatalog does. An adapter instantiates both suites with
// a bed of its own:
//
//   struct Bed {                        // made anew for each test, with an empty log
//     EventLog& log();
//     EventSource& source();
//     CampaignCatalog& catalog();       // writes into the same log
//     ManualExecutor& executor();       // completions of the tests run here
//     void reopen();                    // stops in order and starts again on the same data
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(MyLog, EventLogSuite, Bed);
//   INSTANTIATE_TYPED_TEST_SUITE_P(MyLog, CatalogSuite, Bed);       // catalog_suite.hpp

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/await.hpp"
#include "tests/support/samples.hpp"

namespace doorbuster::test {

template <class Bed>
class EventLogSuite : public testing::Test {
 protected:
  Result<void> append(std::vector<CouponIssued> events) {
    return test::append(bed_.log(), bed_.executor(), std::move(events));
  }
  std::vector<LogRecord> read(LogPosition after = 0, std::size_t max = 1'000'000) {
    auto records = bed_.source().read(after, max);
    EXPECT_TRUE(records.has_value()) << records.error().detail;
    return records ? *records : std::vector<LogRecord>();
  }
  std::vector<std::uint64_t> sequences(LogPosition after = 0, std::size_t max = 1'000'000) {
    std::vector<std::uint64_t> found;
    for (const LogRecord& record : read(after, max)) {
      const auto* event = std::get_if<CouponIssued>(&record.event);
      found.push_back(event == nullptr ? 0 : event->coupon.sequence);
    }
    return found;
  }
  Bed bed_;
};
TYPED_TEST_SUITE_P(EventLogSuite);

TYPED_TEST_P(EventLogSuite, IsEmptyAtFirst) {
  EXPECT_TRUE(this->bed_.log().accepting());
  EXPECT_EQ(this->bed_.source().end().value(), 0U);
  EXPECT_TRUE(this->read().empty());
}

TYPED_TEST_P(EventLogSuite, WhatWasAnsweredIsReadInOrder) {
  ASSERT_TRUE(this->append({coupon_event("sale", 1), coupon_event("sale", 2)}).has_value());
  ASSERT_TRUE(this->append({coupon_event("other", 1)}).has_value());
  const auto records = this->read();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].event, Event(coupon_event("sale", 1)));
  EXPECT_EQ(records[1].event, Event(coupon_event("sale", 2)));
  EXPECT_EQ(records[2].event, Event(coupon_event("other", 1)));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(records[i].position, i + 1);
  EXPECT_EQ(this->bed_.source().end().value(), 3U);
}

TYPED_TEST_P(EventLogSuite, KeepsEveryField) {
  auto event = coupon_event(std::string(64, 'c'), 7'000'000'001, user_id("Ann.Smith_9:x@example-host"));
  event.epoch = 4'000'000'000;
  event.revision = 4'000'000'001;
  event.refilled = true;
  event.coupon.code = CouponCode({255, 0, 254, 1, 128, 127, 0, 0, 0, 9});
  event.coupon.decided_at = ManualClock::kStart + Duration{999'999};
  event.instance = {};
  ASSERT_TRUE(this->append({event}).has_value());
  EXPECT_EQ(this->read().at(0).event, Event(event));
  this->bed_.reopen();
  EXPECT_EQ(this->read().at(0).event, Event(event));
}

TYPED_TEST_P(EventLogSuite, PagesByPositionAndCount) {
  std::vector<CouponIssued> events;
  for (std::uint64_t i = 1; i <= 10; ++i) events.push_back(coupon_event("sale", i));
  ASSERT_TRUE(this->append(events).has_value());
  EXPECT_EQ(this->sequences(0, 3), (Sequences{1, 2, 3}));
  EXPECT_EQ(this->sequences(3, 4), (Sequences{4, 5, 6, 7}));
  EXPECT_EQ(this->sequences(7, 100), (Sequences{8, 9, 10}));
  EXPECT_EQ(this->sequences(10, 100), Sequences{});
  EXPECT_EQ(this->sequences(99, 100), Sequences{});
}

TYPED_TEST_P(EventLogSuite, AnswersOnTheExecutorAndNotInsideTheCall) {
  auto answered = std::make_shared<bool>(false);
  this->bed_.log().append({coupon_event("sale", 1)}, this->bed_.executor(),
                          [answered](Result<void>) { *answered = true; });
  EXPECT_FALSE(*answered);
  EXPECT_TRUE(this->bed_.executor().wait_until([&] { return *answered; }));
}

TYPED_TEST_P(EventLogSuite, ManyAppendsInTheAirKeepTheirOrderAndAreAllAnswered) {
  auto answered = std::make_shared<std::vector<std::uint64_t>>();
  Sequences expected;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    expected.push_back(i);
    this->bed_.log().append({coupon_event("sale", i)}, this->bed_.executor(),
                            [answered, i](Result<void> result) {
                              EXPECT_TRUE(result.has_value());
                              answered->push_back(i);
                            });
  }
  ASSERT_TRUE(this->bed_.executor().wait_until([&] { return answered->size() == 100; }));
  EXPECT_EQ(*answered, expected);
  EXPECT_EQ(this->sequences(), expected);
}

TYPED_TEST_P(EventLogSuite, TheSameEventMayStandTwice) {
  ASSERT_TRUE(this->append({coupon_event("sale", 1)}).has_value());
  ASSERT_TRUE(this->append({coupon_event("sale", 1)}).has_value());
  EXPECT_EQ(this->sequences(), (Sequences{1, 1}));
}

TYPED_TEST_P(EventLogSuite, GoesOnWhereItWasAfterReopening) {
  ASSERT_TRUE(this->append({coupon_event("sale", 1), coupon_event("sale", 2)}).has_value());
  this->bed_.reopen();
  EXPECT_EQ(this->bed_.source().end().value(), 2U);
  ASSERT_TRUE(this->append({coupon_event("sale", 3)}).has_value());
  this->bed_.reopen();
  const auto records = this->read();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[2].position, 3U);
  EXPECT_EQ(records[2].event, Event(coupon_event("sale", 3)));
}

TYPED_TEST_P(EventLogSuite, WaitingEndsWhenThereIsMoreOrTheTimeIsOver) {
  ASSERT_TRUE(this->append({coupon_event("sale", 1)}).has_value());
  const auto begun = std::chrono::steady_clock::now();
  this->bed_.source().wait(0, std::chrono::minutes{5});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes{4});
  this->bed_.source().wait(1, Duration{1000});  // nothing comes: returns all the same
  EXPECT_EQ(this->bed_.source().end().value(), 1U);
}

REGISTER_TYPED_TEST_SUITE_P(EventLogSuite, IsEmptyAtFirst, WhatWasAnsweredIsReadInOrder, KeepsEveryField,
                            PagesByPositionAndCount, AnswersOnTheExecutorAndNotInsideTheCall,
                            ManyAppendsInTheAirKeepTheirOrderAndAreAllAnswered, TheSameEventMayStandTwice,
                            GoesOnWhereItWasAfterReopening, WaitingEndsWhenThereIsMoreOrTheTimeIsOver);

}  // namespace doorbuster::test

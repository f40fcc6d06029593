#include "loadlab/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadlab/request_bytes.hpp"

namespace doorbuster::loadlab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

OptionTexts sound() {
  OptionTexts texts;
  texts.urls = "http://127.0.0.1:8080";
  texts.duration = "5s";
  return texts;
}

TEST(Target, IsReadFromAnHttpUrl) {
  const auto target = Target::parse("http://localhost:8081/coupon/issue?x=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "localhost");
  EXPECT_EQ(target->port, 8081);
  EXPECT_EQ(target->path, "/coupon/issue?x=1");
  EXPECT_EQ(target->authority, "localhost:8081");
}

TEST(Target, HasPort80AndNoPathUnlessSaid) {
  const auto target = Target::parse("http://example.org/");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->port, 80);
  EXPECT_EQ(target->path, "");
}

TEST(Target, KeepsBracketsOfIpv6OnlyInTheHostHeader) {
  const auto target = Target::parse("http://[::1]:8080");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "::1");
  EXPECT_EQ(target->port, 8080);
  EXPECT_EQ(target->authority, "[::1]:8080");
}

TEST(Target, RefusesWhatItCannotAsk) {
  for (const auto* url : {"", "127.0.0.1:80", "https://a", "http://", "http://a:", "http://a:0",
                          "http://a:70000", "http://a:8x", "http://u@a", "http://[::1", "http://[::1]8",
                          "http://a b", "http://a?x", "http://a/x\r\nY: z", "http://a/#f"}) {
    const auto target = Target::parse(url);
    ASSERT_FALSE(target) << url;
    EXPECT_THAT(target.error().detail, HasSubstr("is not a target")) << url;
  }
}

TEST(Threshold, ComparesTimesInMilliseconds) {
  const auto threshold = Threshold::parse("p99<50ms");
  ASSERT_TRUE(threshold);
  EXPECT_EQ(threshold->figure, Figure::p99);
  EXPECT_TRUE(threshold->met(49.9));
  EXPECT_FALSE(threshold->met(50));
  EXPECT_DOUBLE_EQ(Threshold::parse("p999 <= 1s")->limit, 1000);
}

TEST(Threshold, KnowsAllSigns) {
  EXPECT_TRUE(Threshold::parse("tps>=1000")->met(1000));
  EXPECT_FALSE(Threshold::parse("tps>1000")->met(1000));
  EXPECT_TRUE(Threshold::parse("errors<=0")->met(0));
  EXPECT_FALSE(Threshold::parse("errors<=0")->met(1));
}

TEST(Threshold, TakesErrorsAsAShareWithPerCent) {
  EXPECT_EQ(Threshold::parse("errors<1%")->figure, Figure::error_rate);
  EXPECT_EQ(Threshold::parse("errors<1")->figure, Figure::errors);
}

TEST(Threshold, RefusesNonsense) {
  for (const auto* text : {"", "p99", "p98<1ms", "p99<", "p99<5", "tps>5ms", "tps>x", "p99=5ms", "tps>5%"}) {
    EXPECT_FALSE(Threshold::parse(text)) << text;
  }
}

TEST(Options, HaveTheDocumentedDefaults) {
  const auto options = parse_options(sound());
  ASSERT_TRUE(options) << options.error().detail;
  EXPECT_EQ(options->campaign, "default");
  EXPECT_EQ(options->vusers, 100U);
  EXPECT_EQ(options->duration, seconds(5));
  EXPECT_FALSE(options->requests);
  EXPECT_EQ(options->connections, Connections::keep_alive);
  EXPECT_EQ(options->asks_per_user, 1U);
  EXPECT_EQ(options->timeout, seconds(10));
  EXPECT_GE(options->first_user, 1'000'000'000'000'000'000U);
}

TEST(Options, ReadEverything) {
  auto texts = sound();
  texts.urls = "http://a:1,http://b:2/x";
  texts.duration.clear();
  texts.requests = 7;
  texts.rate = 12.5;
  texts.ramp_up = "2s";
  texts.warm_up = "500ms";
  texts.connections = "per-request";
  texts.users = "repeat:3";
  texts.first_user = 17;
  texts.thresholds = {"p99<50ms", "errors<1%"};
  const auto options = parse_options(texts);
  ASSERT_TRUE(options) << options.error().detail;
  ASSERT_EQ(options->targets.size(), 2U);
  EXPECT_EQ(options->targets[1].path, "/x");
  EXPECT_EQ(options->requests, 7U);
  EXPECT_DOUBLE_EQ(options->rate, 12.5);
  EXPECT_EQ(options->ramp_up, seconds(2));
  EXPECT_EQ(options->warm_up, milliseconds(500));
  EXPECT_EQ(options->connections, Connections::per_request);
  EXPECT_EQ(options->asks_per_user, 3U);
  EXPECT_EQ(options->first_user, 17U);
  EXPECT_EQ(options->thresholds.size(), 2U);
}

void expect_refused(const OptionTexts& texts, const std::string& field) {
  const auto options = parse_options(texts);
  ASSERT_FALSE(options) << field;
  EXPECT_EQ(options.error().code, ErrorCode::invalid);
  EXPECT_EQ(options.error().field, field);
  EXPECT_THAT(options.error().detail, Not(HasSubstr("\n")));
}

TEST(Options, NameTheFlagAtFault) {
  auto texts = sound();
  texts.urls = "http://a,";
  expect_refused(texts, "URL");
  texts = sound();
  texts.vusers = 0;
  expect_refused(texts, "--vusers");
  texts = sound();
  texts.requests = 5;  // as well as a duration
  expect_refused(texts, "--duration");
  texts = sound();
  texts.duration.clear();  // and no number of requests either
  expect_refused(texts, "--duration");
  texts = sound();
  texts.duration = "0s";
  expect_refused(texts, "--duration");
  texts = sound();
  texts.rate = -1;
  expect_refused(texts, "--rate");
  texts = sound();
  texts.ramp_up = "soon";
  expect_refused(texts, "--ramp-up");
  texts = sound();
  texts.users = "repeat:0";
  expect_refused(texts, "--users");
  texts = sound();
  texts.users = "some";
  expect_refused(texts, "--users");
  texts = sound();
  texts.connections = "none";
  expect_refused(texts, "--connections");
  texts = sound();
  texts.campaign = "Upper";
  expect_refused(texts, "--campaign");
  texts = sound();
  texts.threads = 101;  // more than virtual users
  expect_refused(texts, "--threads");
  texts = sound();
  texts.token = "a\r\nX: y";
  expect_refused(texts, "--token");
  texts = sound();
  texts.thresholds = {"p99"};
  expect_refused(texts, "--threshold");
}

TEST(RequestBytes, AreAWholeRequestForAnyUser) {
  auto texts = sound();
  texts.campaign = "summer";
  texts.token = "secret";
  const auto options = parse_options(texts);
  ASSERT_TRUE(options);
  RequestBytes bytes(*options, options->targets[0]);
  const std::string head =
      "POST /v1/campaigns/summer/coupons HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: "
      "application/json\r\n"
      "Authorization: Bearer secret\r\n";
  EXPECT_EQ(bytes.for_user(9), head + "Content-Length: 13\r\n\r\n{\"user_id\":9}");
  EXPECT_EQ(bytes.for_user(8), head + "Content-Length: 13\r\n\r\n{\"user_id\":8}");
  EXPECT_EQ(bytes.for_user(10), head + "Content-Length: 14\r\n\r\n{\"user_id\":10}");
}

TEST(RequestBytes, SpeakTheOlderPathsBody) {
  auto texts = sound();
  texts.urls = "http://127.0.0.1:8080/coupon/issue";
  texts.connections = "per-request";
  const auto options = parse_options(texts);
  ASSERT_TRUE(options);
  EXPECT_EQ(RequestBytes(*options, options->targets[0]).for_user(5),
            "POST /coupon/issue HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nContent-Length: 12\r\n\r\n{\"userId\":5}");
}

}  // namespace
}  // namespace doorbuster::loadlab

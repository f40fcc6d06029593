#include "loadlab/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadlab/acks.hpp"
#include "loadlab/reply.hpp"
#include "loadlab/request_bytes.hpp"

namespace doorbuster::loadlab {
namespace {

using testing::HasSubstr;

OptionTexts good() {
  OptionTexts texts;
  texts.urls = "http://127.0.0.1:8080";
  texts.duration = "2s";
  return texts;
}

/// The flag that is blamed; empty when the texts are taken.
std::string blamed(const OptionTexts& texts) {
  const auto options = parse_options(texts);
  return options ? "" : options.error().field;
}

TEST(Options, DefaultsAreAClosedLoopOfUniqueUsers) {
  const auto options = parse_options(good());
  ASSERT_TRUE(options);
  EXPECT_EQ(options->campaign, "default");
  EXPECT_EQ(options->vusers, 100U);
  EXPECT_EQ(options->asks_per_user, 1U);
  EXPECT_EQ(options->rate, 0);
  EXPECT_EQ(options->connections, Connections::keep_alive);
  EXPECT_EQ(*options->duration, Duration(std::chrono::seconds(2)));
}

TEST(Options, TwoRunsAskForDifferentUsers) {
  EXPECT_NE(parse_options(good())->first_user, parse_options(good())->first_user);
}

TEST(Options, SeveralTargetsAreSeparatedByCommas) {
  auto texts = good();
  texts.urls = "http://a:1, http://[::1]:2/path";
  const auto options = parse_options(texts);
  ASSERT_TRUE(options);
  ASSERT_EQ(options->targets.size(), 2U);
  EXPECT_EQ(options->targets[1].host, "::1");
  EXPECT_EQ(options->targets[1].port, 2);
  EXPECT_EQ(options->targets[1].path, "/path");
}

TEST(Options, BlameTheFlagThatIsWrong) {
  const auto with = [](auto change) {
    auto texts = good();
    change(texts);
    return blamed(texts);
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_EQ(with([](auto& texts) { texts.urls = "https://a"; }), "URL");
  EXPECT_EQ(with([](auto& texts) { texts.urls = "http://a:0"; }), "URL");
  EXPECT_EQ(with([](auto& texts) { texts.urls = "http://a,"; }), "URL");
  EXPECT_EQ(with([](auto& texts) { texts.vusers = 0; }), "--vusers");
  EXPECT_EQ(with([](auto& texts) { texts.threads = 101; }), "--threads");
  EXPECT_EQ(with([](auto& texts) { texts.duration = ""; }), "--duration");
  EXPECT_EQ(with([](auto& texts) { texts.requests = 5; }), "--duration");
  EXPECT_EQ(with([](auto& texts) { texts.duration = "0s"; }), "--duration");
  EXPECT_EQ(with([](auto& texts) { texts.rate = -1; }), "--rate");
  EXPECT_EQ(with([](auto& texts) { texts.warm_up = "soon"; }), "--warm-up");
  EXPECT_EQ(with([](auto& texts) { texts.timeout = "0s"; }), "--timeout");
  EXPECT_EQ(with([](auto& texts) { texts.users = "repeat:0"; }), "--users");
  EXPECT_EQ(with([](auto& texts) { texts.users = "some"; }), "--users");
  EXPECT_EQ(with([](auto& texts) { texts.connections = "none"; }), "--connections");
  EXPECT_EQ(with([](auto& texts) { texts.campaign = "Not Good"; }), "--campaign");
  EXPECT_EQ(with([](auto& texts) { texts.token = "a\r\nb"; }), "--token");
  EXPECT_EQ(with([](auto& texts) { texts.thresholds = {"p98<1ms"}; }), "--threshold");
  EXPECT_EQ(with([](auto& texts) { texts.thresholds = {"p99<1"}; }), "--threshold");
  EXPECT_EQ(with([](auto& texts) { texts.thresholds = {"tps=1"}; }), "--threshold");
}

TEST(Threshold, ComparesInTheUnitsOfItsFigure) {
  const auto p99 = Threshold::parse("p99<50ms");
  ASSERT_TRUE(p99);
  EXPECT_TRUE(p99->met(49.9));
  EXPECT_FALSE(p99->met(50));
  EXPECT_TRUE(Threshold::parse("p99<=0.05s")->met(50));
  EXPECT_FALSE(Threshold::parse("tps >= 1000")->met(999.9));
  EXPECT_EQ(Threshold::parse("errors<1%")->figure, Figure::error_rate);
  EXPECT_EQ(Threshold::parse("errors<1")->figure, Figure::errors);
}

TEST(RequestBytes, AnnounceTheLengthOfWhatFollows) {
  const auto options = parse_options(good());
  RequestBytes bytes(*options, options->targets[0]);
  for (const auto user : {std::uint64_t{7}, std::uint64_t{1234567890123}, std::uint64_t{8}}) {
    const std::string text(bytes.for_user(user));
    EXPECT_THAT(
        text, testing::StartsWith("POST /v1/campaigns/default/coupons HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
    const auto body = text.substr(text.find("\r\n\r\n") + 4);
    EXPECT_EQ(body, "{\"user_id\":" + std::to_string(user) + "}");
    EXPECT_THAT(text, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
  }
}

TEST(Reply, ACouponIsReadOutOfTheBody) {
  const auto facts =
      read_reply(201, R"({"code":"ABC","campaign_id":"x","user_id":"17","sequence":42,"durable":"log"})");
  EXPECT_EQ(facts.outcome, Outcome::issued);
  EXPECT_EQ(facts.code, "ABC");
  EXPECT_EQ(facts.sequence, 42U);
  EXPECT_EQ(facts.user, "17");
  EXPECT_EQ(read_reply(200, R"({"code": "ABC", "sequence": 1})").outcome, Outcome::already);
  EXPECT_EQ(read_reply(200, "hello").outcome, Outcome::answered);
}

TEST(Reply, RefusalsAreAnswersAndFailuresAreErrors) {
  const auto problem = [](const std::string& slug) { return "{\"type\":\"/problems/" + slug + "\"}"; };
  EXPECT_EQ(read_reply(410, problem("sold-out")).outcome, Outcome::sold_out);
  EXPECT_EQ(read_reply(410, problem("ended")).outcome, Outcome::ended);
  EXPECT_EQ(read_reply(409, problem("not-started")).outcome, Outcome::not_started);
  EXPECT_EQ(read_reply(409, problem("paused")).outcome, Outcome::paused);
  EXPECT_FALSE(read_reply(410, problem("sold-out")).error);
  EXPECT_EQ(read_reply(410, "gone").error, ErrorKind::http_4xx);
  EXPECT_EQ(read_reply(503, "").error, ErrorKind::http_503);
  EXPECT_EQ(read_reply(500, "").error, ErrorKind::http_5xx);
  EXPECT_EQ(read_reply(404, "").outcome, Outcome::not_found);
}

TEST(Acks, ALineHasTheNamesThatTheAuditReads) {
  Ack ack;
  ack.user = 17;
  ack.sent_at = 100;
  std::string out;
  append_line(ack, out);
  EXPECT_EQ(out,
            "{\"user\":\"17\",\"status\":null,\"code\":null,\"sequence\":null,\"sent_at\":100,\"received_"
            "at\":null}\n");
  ack.status = 201;
  ack.code = CodeText("ABC");
  ack.sequence = 3;
  ack.received_at = 200;
  out.clear();
  append_line(ack, out);
  EXPECT_EQ(out,
            "{\"user\":\"17\",\"status\":201,\"code\":\"ABC\",\"sequence\":3,\"sent_at\":100,\"received_at\":"
            "200}\n");
  ack = Ack{};
  ack.status = 410;
  ack.problem = "sold-out";
  out.clear();
  append_line(ack, out);
  EXPECT_THAT(out, HasSubstr("\"status\":410,\"problem\":\"sold-out\""));
}

}  // namespace
}  // namespace doorbuster::loadlab

#include "proto/event/event_bytes.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbuster::event {
namespace {

using namespace std::chrono_literals;

const Timestamp kNine = parse_timestamp("2026-11-25T09:00:00.123456Z").value();

CouponIssued coupon(std::uint64_t sequence = 17) {
  CouponIssued event;
  event.campaign = CampaignId::parse("sale").value();
  event.epoch = 2;
  event.revision = 3;
  event.coupon = {UserId::from_integer(106 + sequence), sequence,
                  CouponCode::parse("0123456789ABCDEF").value(), kNine};
  event.instance = InstanceName("api-1");
  return event;
}

std::vector<CouponIssued> coupons(std::uint64_t count) {
  std::vector<CouponIssued> events;
  for (std::uint64_t sequence = 1; sequence <= count; ++sequence) events.push_back(coupon(sequence));
  return events;
}

CampaignDefinition definition() {
  CampaignDefinition definition;
  definition.id = CampaignId::parse("sale").value();
  definition.name = "Sale";
  definition.limit = 100;
  definition.created_at = kNine;
  return definition;
}

std::string bytes_of(const std::vector<CouponIssued>& events) {
  std::string bytes;
  EXPECT_EQ(append_coupons(events, bytes), events.size());
  return bytes;
}

std::string bytes_of(const CampaignDefinition& definition) {
  std::string bytes;
  append_definition(definition, bytes);
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

Result<std::vector<Event>> read(std::string_view bytes) {
  auto reader = BytesReader::open(bytes);
  if (!reader) return reader.error();
  std::vector<Event> events;
  while (reader->left() > 0) {
    if (auto read = reader->next(events.emplace_back()); !read) return read.error();
  }
  return events;
}

TEST(EventBytes, CouponsHaveTheDocumentedLayout) {
  auto first = coupon(17);
  auto second = coupon(18);
  first.refilled = second.refilled = true;
  second.coupon.user = UserId::parse("ann").value();
  EXPECT_EQ(hex(bytes_of({first, second})),
            "01"
            "01"
            "02000000"
            "0400"
            "73616c65"
            "02000000"
            "03000000"
            "01"
            "0500"
            "6170692d31"
            "1100000000000000"
            "40e6450d16610600"
            "00443214c74254b635cf"
            "03"
            "313233"
            "1200000000000000"
            "40e6450d16610600"
            "00443214c74254b635cf"
            "03"
            "616e6e");
}

TEST(EventBytes, DefinitionsHaveTheDocumentedLayout) {
  auto changed = definition();
  changed.ends_at = Timestamp{-1us};
  EXPECT_EQ(hex(bytes_of(changed)),
            "02"
            "01"
            "0400"
            "73616c65"
            "01000000"
            "01000000"
            "0400"
            "53616c65"
            "6400000000000000"
            "00"
            "0000000000000000"
            "01"
            "ffffffffffffffff"
            "0400"
            "6f70656e"
            "0600"
            "61746f6d6963"
            "0300"
            "6c6f67"
            "40e6450d16610600");
}

TEST(EventBytes, EventsComeBackAsTheyWere) {
  auto all = coupons(40);
  all[7].coupon.user = UserId::parse("ann@example.org").value();
  all[8].coupon.decided_at = Timestamp{-5us};
  all[9].coupon.sequence = ~std::uint64_t{0};
  const auto back = read(bytes_of(all));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(*back, std::vector<Event>(all.begin(), all.end()));

  auto changed = definition();
  changed.starts_at = kNine;
  changed.status = CampaignStatus::ended;
  changed.limit = 1'000'000'000'000;
  EXPECT_EQ(read(bytes_of(changed)).value(), std::vector<Event>{CampaignChanged{changed}});
}

TEST(EventBytes, OnlyAlikeCouponsStandTogether) {
  const auto together = [](auto change) {
    auto events = coupons(3);
    change(events[2]);
    std::string bytes;
    return append_coupons(events, bytes);
  };
  EXPECT_EQ(together([](auto& e) { e.coupon = coupon(90).coupon; }), 3U);
  EXPECT_EQ(together([](auto& e) { e.campaign = CampaignId::parse("sales").value(); }), 2U);
  EXPECT_EQ(together([](auto& e) { e.epoch = 9; }), 2U);
  EXPECT_EQ(together([](auto& e) { e.revision = 9; }), 2U);
  EXPECT_EQ(together([](auto& e) { e.refilled = true; }), 2U);
  EXPECT_EQ(together([](auto& e) { e.instance = {}; }), 2U);
  std::string bytes;
  EXPECT_EQ(append_coupons(coupons(kMostCouponsTogether + 1), bytes), kMostCouponsTogether);
  EXPECT_EQ(read(bytes).value().size(), kMostCouponsTogether);
}

TEST(EventBytes, AppendsBehindWhatIsThere) {
  std::string bytes = bytes_of(coupons(2));
  const auto first = bytes.size();
  append_definition(definition(), bytes);
  EXPECT_EQ(bytes.substr(first), bytes_of(definition()));
}

TEST(EventBytes, WhatIsCutOffOrTooLongIsCorrupt) {
  for (const auto& whole : {bytes_of(coupons(3)), bytes_of(definition())}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto cut = read(whole.substr(0, size));
      ASSERT_FALSE(cut) << size << " bytes of " << whole.size();
      EXPECT_EQ(cut.error().code, ErrorCode::corrupt);
      EXPECT_FALSE(cut.error().detail.empty());
    }
    EXPECT_FALSE(read(whole + 'x'));
  }
}

TEST(EventBytes, WhatCannotBeIsCorrupt) {
  const auto complaint = [](std::string bytes, std::size_t at, std::string_view put) {
    bytes.replace(at, put.size(), put);
    const auto result = read(bytes);
    return result ? "none" : result.error().detail;
  };
  const auto whole = bytes_of(coupons(2));
  const auto change = bytes_of(definition());
  EXPECT_NE(complaint(whole, 0, "\x03").find("3 is no kind"), std::string::npos);
  EXPECT_NE(complaint(whole, 1, "\x02").find("version is 2"), std::string::npos);
  EXPECT_NE(complaint(whole, 2, "\xff\xff\xff\xff").find("4294967295 coupons"), std::string::npos);
  EXPECT_NE(complaint(whole, 2, std::string_view("\0", 1)).find("0 coupons"), std::string::npos);
  EXPECT_NE(complaint(whole, 2, "\x01").find("follows"), std::string::npos);
  EXPECT_NE(complaint(whole, 8, "S").find("campaign id"), std::string::npos);
  EXPECT_NE(complaint(whole, 20, "\x02").find("cut off"), std::string::npos) << "refilled is 0 or 1";
  EXPECT_NE(complaint(whole, whole.size() - 1, "/").find("user id"), std::string::npos);
  EXPECT_NE(complaint(change, change.size() - 17, "?").find("not valid"), std::string::npos);
  EXPECT_NE(complaint(change, change.size() - 60, "\xff\xff").find("not"), std::string::npos);
  auto named = coupon();
  std::string long_name(100, 'n');
  auto bytes = bytes_of({named});
  bytes.replace(21, 2 + 5, std::string("\x64\0", 2) + long_name);
  EXPECT_NE(read(bytes).error().detail.find("too long"), std::string::npos);
}

TEST(EventBytes, ChecksumsAreThoseOfZlibAndChain) {
  EXPECT_EQ(chained_crc(0, "123456789"), 0xcbf43926U);  // the check value of CRC-32/ISO-HDLC
  EXPECT_EQ(chained_crc(chained_crc(0, "12345"), "6789"), 0xcbf43926U);
  EXPECT_NE(chained_crc(1, "123456789"), 0xcbf43926U);
  EXPECT_EQ(chained_crc(7, ""), 7U);
}

}  // namespace
}  // namespace doorbuster::event
